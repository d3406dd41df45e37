"""Foreign text in GitHub's Markdown: it is shown as it is, and can be neither structure, link, mention nor HTML."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from deploykit.model.hint import PROGRAM
from deploykit.model.release import short

NONE = "–"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TICKED = re.compile(r"`([^`]+)`")  # a command, as our own sentences have it
_LINKS = re.compile(  # words of which GitHub makes a link, a mention, a formula or a picture, unless they are code
    r"(?i)@|://|www\.|mailto:|xmpp:|\$|#\d|\bgh-\d|:[a-z+-][a-z0-9_+-]*:"
)
_SPECIAL = re.compile(r"[\\`*~^|<>&\[\]]|(?<![^\W_])_|_(?![^\W_])")  # a _ inside a word is only that
_LEADING = re.compile(r"^(?:[-+#=:]|\d{1,9}(?=[.)]))")
_BIDI = set("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn what follows around
_DIGITS = 12


def inline(text: str) -> str:
    """``text`` as one line of Markdown, in a paragraph, a list or a cell; what stands in backticks becomes code.

    Words that GitHub would turn into links or mentions become code, too; nothing in code acts.
    """
    line = _one_line(text)
    pieces: list[str] = []
    for number, part in enumerate(_TICKED.split(line)):
        if number % 2:
            pieces.append(code(part) if part.strip() else " ")
        else:
            pieces += [_word(word) for word in re.split(r"( )", part) if word]
    found = _without_touching(pieces)
    return _LEADING.sub(lambda match: _entity(match[0][0]) + match[0][1:], found)


def code(text: str) -> str:
    """``text`` as code inside a line, between as many backticks as it needs."""
    line = _one_line(text)
    if not line:
        return NONE
    ticks = "`" * (_longest_run(line) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def fenced(text: str) -> list[str]:
    """``text`` as the lines of a code block, whose fence is longer than any run of backticks in it."""
    lines = [_clean(line) for line in _ANSI.sub("", text).splitlines()] or [""]
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    return [f"{fence}text", *lines, fence]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; ``head`` and ``rows`` are Markdown already. Empty where there is no row."""
    lines = [_row(cells) for cells in rows]
    return [_row(head), "|" + " --- |" * len(head), *lines] if lines else []


def hint(text: str) -> list[str]:
    """What to type next: commands as code; where they stand on lines of their own, as a block of code."""
    first, _, rest = text.partition("\n")
    if not first.strip() and not rest.strip():
        return []
    said = code(first) if first.startswith(f"{PROGRAM} ") else inline(first)
    return ["", f"→ {said}", *(["", *fenced(rest)] if rest.strip() else [])]


def commit(sha: str | None) -> str:
    """A commit in 7 digits, as code."""
    return code(short(sha)) if sha else NONE


def brief(value: Any) -> str:
    """A value in a few characters, as code: of an image the digest, of an ARN its end, of a commit its beginning."""
    if value is None:
        return NONE
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if match := re.search(r"(?:^|@)sha256:([0-9a-f]+)$", text):
        return code(f"sha256:{match[1][:_DIGITS]}")
    if text.startswith("arn:") or re.match(r"[\w.-]+(?::\d+)?/[\w./-]+:[\w.-]+$", text):
        text = text.rpartition("/")[2]
    return code(re.sub(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{28}(?![0-9a-f])", r"\1", text))


def _row(cells: Iterable[str]) -> str:
    # in GitHub's tables \| is a | that ends no cell, in code as well
    return "| " + " | ".join(cell.replace("|", "\\|") or " " for cell in cells) + " |"


def _word(word: str) -> str:
    return code(word) if _LINKS.search(word) else _SPECIAL.sub(lambda match: _entity(match[0]), word)


def _entity(character: str) -> str:
    """A reference to a character, which is never Markdown's own sign."""
    return f"&#{ord(character)};"


def _without_touching(pieces: Iterable[str]) -> str:
    """``pieces`` in one text; backticks of two of them must not become one run."""
    text = ""
    for piece in pieces:
        text += (" " if text.endswith("`") and piece.startswith("`") else "") + piece
    return text


def _one_line(text: str) -> str:
    return _clean(" ".join(_ANSI.sub("", text).split()))


def _clean(line: str) -> str:
    """A line without what is no text: control characters, lone surrogates, and signs that turn the direction."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _odd(character) else character for character in line)


def _odd(character: str) -> bool:
    return character in _BIDI or (unicodedata.category(character) in ("Cc", "Cs") and character != "\t")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
