"""Dotted paths into JSON: ``database.state``, ``items.0.name``, ``"a.b".c``."""

from __future__ import annotations

import re
from typing import Any, Final

_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."]+)')


class Missing:
    """What a path leads to where the document has nothing."""


MISSING: Final = Missing()


def parse_path(path: str) -> tuple[str, ...]:
    """The steps of ``path``; the empty path is the whole document. A key with dots is in double quotes.

    Raises ValueError for an empty step or an open quote.
    """
    if path == "":
        return ()
    steps: list[str] = []
    position = 0
    while True:
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f'path {path!r}: expected a key at character {position + 1} (a key with dots: "a.b")')
        quoted, plain = step.groups()
        steps.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = step.end()
        if position == len(path):
            return tuple(steps)
        if path[position] != ".":
            raise ValueError(f"path {path!r}: expected a dot at character {position + 1}")
        position += 1


def look_up(document: Any, path: str) -> Any:
    """What ``path`` leads to in ``document`` (as `json.loads` gives it), or `MISSING`.

    Raises ValueError as `parse_path` does.
    """
    value = document
    for step in parse_path(path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch("[0-9]{1,9}", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return MISSING
    return value


def same(expected: Any, actual: Any) -> bool:
    """Equality as in JSON: true is not 1, "3" is not 3, 3 is 3.0; lists and objects item by item."""
    if isinstance(expected, list | tuple) and isinstance(actual, list | tuple):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(expected[key], actual[key]) for key in expected)
    if is_number(expected) and is_number(actual):
        return bool(expected == actual)
    return type(expected) is type(actual) and bool(expected == actual)


def is_number(value: Any) -> bool:
    """True for JSON numbers, which booleans are only in Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)
