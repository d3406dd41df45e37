"""Colour for people: ANSI codes where a terminal wants them, plain text everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

_CODES = {"good": "32", "bad": "1;31", "warn": "33", "dim": "2", "bold": "1"}


class Style:
    """Paints text by meaning. With ``colour`` off every method returns its text as it is."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def good(self, text: str) -> str:
        return self._paint("good", text)

    def bad(self, text: str) -> str:
        return self._paint("bad", text)

    def warn(self, text: str) -> str:
        return self._paint("warn", text)

    def dim(self, text: str) -> str:
        return self._paint("dim", text)

    def bold(self, text: str) -> str:
        return self._paint("bold", text)

    def _paint(self, meaning: str, text: str) -> str:
        return f"\x1b[{_CODES[meaning]}m{text}\x1b[0m" if self.colour and text else text


def is_terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True where lines may be drawn over: a terminal that can, and no CI that only records it."""
    return _isatty(stream) and not environ.get("CI") and environ.get("TERM", "") != "dumb"


def wants_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True on a terminal whose user did not set NO_COLOR (https://no-color.org: any value but an empty one)."""
    return is_terminal(stream, environ) and not environ.get("NO_COLOR")


def _isatty(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False
