"""Lines that fit a narrow terminal: broken between fields and words, never inside one, and nothing left out."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from typing import TextIO

from deploykit.report.style import is_terminal

_CODE = re.compile(r"\x1b\[[\d;]*m")
_START = re.compile(r"(?:\x1b\[[\d;]*m)*( *)")
_WORD = re.compile(r"( *)((?:`[^`]*`|[^\s`]|`)+)")  # a command in backticks is one word, so that it can be copied
_COMMAND = re.compile(r"(?:→ )?deploykit [a-z]")  # indented on a line of its own: to be copied, too
_NARROWEST = 20  # columns; a narrower terminal breaks the lines itself


class Verbatim(str):
    """A line to copy: only the terminal may break it."""


def width_of(stream: TextIO, environ: Mapping[str, str]) -> int | None:
    """The columns of the terminal ``stream``, from $COLUMNS if set; None where it is not a terminal."""
    if not is_terminal(stream, environ):
        return None
    if environ.get("COLUMNS", "").isdecimal():
        return int(environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # ValueError: no file descriptor behind it
        return None


def columns(text: str) -> int:
    """How many columns ``text`` takes: a colour none, a wide character two."""
    plain = _CODE.sub("", text)
    return len(plain) + sum(unicodedata.east_asian_width(character) in "WF" for character in plain)


def fitted(text: str, width: int | None) -> list[str]:
    """``text`` in lines of at most ``width`` columns; a line with a longer word is longer.

    Two spaces or more separate fields, which stay whole where they fit. The rest of a broken line is indented.
    """
    if isinstance(text, Verbatim):
        return [text]
    lines = text.split("\n")
    if width is None or width < _NARROWEST:
        return lines
    return [part for line in lines for part in _broken(line, width)]


def _broken(line: str, width: int) -> list[str]:
    if columns(line) <= width:
        return [line]
    start = _START.match(line)
    indent = len(start[1]) if start else 0
    under = " " * min(indent + 4, width // 2)
    lines: list[str] = []
    current, empty = "", True  # empty: nothing but the indentation is in it
    for gap, field in _fields(line):
        whole = columns(under + field) <= width or (indent and empty and not lines and _COMMAND.match(field))
        for number, (space, word) in enumerate([(gap, field)] if whole else _words(gap, field)):
            if empty and not number and not lines:
                current, empty = gap + word, False
            elif not columns(word) or columns(current + space + word) <= width:
                current += (space if columns(word) else "") + word
            else:
                lines.append(current.rstrip(" "))
                current = under + word
    return [*lines, current.rstrip(" ")]


def _fields(line: str) -> list[tuple[str, str]]:
    """Each field with the spaces before it."""
    fields: list[tuple[str, str]] = []
    for space, word in _words("", line):
        if fields and len(space) == 1:
            gap, field = fields[-1]
            fields[-1] = (gap, f"{field} {word}")
        else:
            fields.append((space, word))
    return fields


def _words(gap: str, text: str) -> list[tuple[str, str]]:
    """Each word with the spaces before it; ``gap`` stands before the first."""
    found = [(match[1], match[2]) for match in _WORD.finditer(text)]
    return [(gap + space if not number else space, word) for number, (space, word) in enumerate(found)]
