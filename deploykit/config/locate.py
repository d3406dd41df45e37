"""The line of every key in a TOML text: tomllib says what a file holds, but not on which line."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED_KEY = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
# A string closes at the first run of its quotes; a multi-line one may end in up to two more of them.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")|\'\'\'.*?\'{3,5}(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table, key and list item of ``text``, which must be valid TOML.

    A path is made of keys and, for list items and arrays of tables, numbers. A table's line is that of its header, else
    of the first path that names it.
    """
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    """Walks a TOML text once. tomllib has accepted the text, so every branch may assume what must follow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._sizes: dict[KeyPath, int] = {}  # arrays of tables: how many there are so far
        self._newlines = [match.start() for match in re.finditer("\n", text)]

    def document(self) -> None:
        table: KeyPath = ()
        while self._skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self._array_header()
            elif self.text.startswith("[", self.at):
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        line = self._line()
        self.at += 1
        path = self._below((), self._key(), line)
        self.at += 1
        self.lines[path] = line
        return path

    def _array_header(self) -> KeyPath:
        line = self._line()
        self.at += 2
        keys = self._key()
        self.at += 2
        parent = self._below((), keys[:-1], line)
        array = (*parent, keys[-1])
        path = (*array, self._sizes.get(array, 0))
        self._sizes[array] = self._sizes.get(array, 0) + 1
        self.lines.setdefault(array, line)
        self.lines[path] = line
        return path

    def _pair(self, table: KeyPath) -> None:
        path = self._below(table, self._key(), self._line())
        self.at += 1  # =
        self._skip(_SPACE)
        self._value(path)

    def _below(self, table: KeyPath, keys: list[str], line: int) -> KeyPath:
        """The path of ``keys`` under ``table``, in the latest item of arrays of tables; notes the lines of new ones."""
        path = table
        for key in keys:
            if path in self._sizes:
                path = (*path, self._sizes[path] - 1)
            path = (*path, key)
            self.lines.setdefault(path, line)
        return (*path, self._sizes[path] - 1) if path in self._sizes else path

    def _key(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            if quoted := _QUOTED_KEY.match(self.text, self.at):
                keys.append(tomllib.loads(f"key = {quoted[0]}")["key"])
                self.at = quoted.end()
            else:
                start = self.at
                keys.append(self.text[start : self._skip(_BARE_KEY)])
            self._skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        if self.text.startswith("[", self.at):
            self._list(path)
        elif self.text.startswith("{", self.at):
            self._inline_table(path)
        elif self.text[self.at] in "\"'":
            self._skip(_STRING)
        else:
            self._skip(_SCALAR)

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        index = 0
        while self.text[self._skip(_BLANK)] != "]":
            item = (*path, index)
            self.lines[item] = self._line()
            self._value(item)
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
            index += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        while self.text[self._skip(_BLANK)] != "}":
            self._pair(path)
            if self.text[self._skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Step over ``pattern``, and return where that ends."""
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _line(self) -> int:
        return bisect_right(self._newlines, self.at - 1) + 1
