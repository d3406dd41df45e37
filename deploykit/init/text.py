"""TOML with comments in one column, or above a line that is too long for that. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

COLUMN = 45  # of comments, as in the annotated example
_WIDTH = 120
GUESSED = "guessed: "


@dataclass(frozen=True)
class Line:
    """``key = value``, or a comment alone (no key). ``off``: commented out, a suggestion."""

    key: str = ""
    value: str = ""  # as TOML writes it
    note: str = ""
    off: bool = False


@dataclass(frozen=True)
class Block:
    """A table with its header; without one, only comments."""

    header: str
    lines: tuple[Line, ...]
    note: str = ""
    off: bool = False  # the whole table is commented out
    above: tuple[str, ...] = ()  # comments before the header


def remark(text: str) -> Line:
    """A comment on a line of its own."""
    return Line(note=text)


def quoted(value: str) -> str:
    """A TOML basic string; TOML has all escapes that JSON has."""
    return json.dumps(value, ensure_ascii=False)


def listed(values: Iterable[str]) -> str:
    """A TOML array of strings."""
    return f"[{', '.join(map(quoted, values))}]"


def render(blocks: Sequence[Block]) -> str:
    """The file's text."""
    return "\n".join("\n".join(_block(block)) + "\n" for block in blocks)


def guesses(blocks: Sequence[Block]) -> int:
    """How many comments say that something was guessed."""
    notes = [note for block in blocks for note in (block.note, *(line.note for line in block.lines))]
    return sum(note.startswith(GUESSED) for note in notes)


def _block(block: Block) -> list[str]:
    found = [text for above in block.above for text in _comment(above)]
    if block.header:
        found += _with_note(f"{'# ' if block.off else ''}{block.header}", block.note)
    for line in block.lines:
        off = "# " if block.off or line.off else ""
        found += _with_note(f"{off}{line.key} = {line.value}", line.note) if line.key else _comment(line.note)
    return found


def _with_note(text: str, note: str) -> list[str]:
    if not note:
        return [text]
    beside = f"{text.ljust(COLUMN - 2)}  # {note}"
    return [beside] if len(beside) <= _WIDTH else [*_comment(note), text]


def _comment(text: str) -> list[str]:
    """``text`` as comment lines of at most 120 columns."""
    lines = ["#"]
    for word in text.split(" "):
        if len(lines[-1]) + 1 + len(word) > _WIDTH and lines[-1] != "#":
            lines.append("#")
        lines[-1] += f" {word}"
    return lines
