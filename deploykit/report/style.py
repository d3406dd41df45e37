"""Colour for people: ANSI codes where a terminal wants them, plain text everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partialmethod
from typing import TextIO


class Style:
    """Paints text by its meaning, with SGR codes; without ``colour`` every method returns its text as it is."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text

    good = partialmethod(_paint, "32")
    bad = partialmethod(_paint, "1;31")
    warn = partialmethod(_paint, "33")
    dim = partialmethod(_paint, "2")
    bold = partialmethod(_paint, "1")


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True where lines may be redrawn: on a terminal that can, outside CI, which only records it."""
    try:
        return stream.isatty() and not environ.get("CI") and environ.get("TERM", "") != "dumb"
    except ValueError:  # closed
        return False


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True on a terminal whose user did not set NO_COLOR (https://no-color.org: to anything but an empty value)."""
    return is_terminal(stream, environ) and not environ.get("NO_COLOR")
