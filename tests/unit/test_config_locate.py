"""Every key of a TOML text is found on the line where it stands."""

from __future__ import annotations

import json
import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deploykit.config.locate import KeyPath, locate

TRICKY = '''\
# [not.a.table]
top = """ # not a comment
[nor.this]
key = "nor this" \\""" still inside""""

[a."b.c".d]   # header
'e f' = [ 1, [2,
  { x = 1, "y]" = ']' } ], # ]
  "four",
]
g.h = { i.j = 1, k = {} }
when = 1979-05-27 07:32:00Z

[[list]]
name = \'\'\'
[[list]]\'\'\'
[list.sub]
one = 1
[[list.deep]]
[[list.deep]]
two = 2
[[list]]
[list.sub]
three = 3
[a]
late = true
'''


def test_tables_lists_strings_and_quoted_keys_stand_where_a_reader_sees_them() -> None:
    tomllib.loads(TRICKY)
    lines = locate(TRICKY)
    seen = {
        ("top",): 2,
        ("a",): 25,
        ("a", "late"): 26,
        ("a", "b.c"): 6,
        ("a", "b.c", "d"): 6,
        ("a", "b.c", "d", "e f"): 7,
        ("a", "b.c", "d", "e f", 0): 7,
        ("a", "b.c", "d", "e f", 1, 0): 7,
        ("a", "b.c", "d", "e f", 1, 1, "y]"): 8,
        ("a", "b.c", "d", "e f", 2): 9,
        ("a", "b.c", "d", "g", "h", "i", "j"): 11,
        ("a", "b.c", "d", "g", "h", "k"): 11,
        ("a", "b.c", "d", "when"): 12,
        ("list",): 14,
        ("list", 0): 14,
        ("list", 0, "name"): 15,
        ("list", 0, "sub"): 17,
        ("list", 0, "sub", "one"): 18,
        ("list", 0, "deep"): 19,
        ("list", 0, "deep", 0): 19,
        ("list", 0, "deep", 1): 20,
        ("list", 0, "deep", 1, "two"): 21,
        ("list", 1): 22,
        ("list", 1, "sub", "three"): 24,
    }
    assert {path: lines.get(path) for path in seen} == seen
    assert set(lines) == set(paths_in(tomllib.loads(TRICKY)))


def paths_in(node: Any, path: KeyPath = ()) -> list[KeyPath]:
    """The path of every table, key and list item of parsed TOML."""
    found = [path] if path else []
    if isinstance(node, dict):
        for key, value in node.items():
            found += paths_in(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            found += paths_in(value, (*path, number))
    return found


class Writer:
    """Writes a tree as TOML in the styles that ``choices`` asks for, and notes the line of every path."""

    def __init__(self, choices: list[int]) -> None:
        self.text = ""
        self.lines: dict[KeyPath, int] = {}
        self._choices = choices or [0]
        self._asked = 0

    def pick(self, number: int) -> int:
        self._asked += 1
        return self._choices[self._asked % len(self._choices)] % number

    def note(self, path: KeyPath) -> None:
        self.lines[path] = self.text.count("\n") + 1

    def key(self, key: str) -> str:
        plain = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        return key if plain and self.pick(2) else json.dumps(key, ensure_ascii=False)

    def table(self, tree: dict[str, Any], path: KeyPath, head: str) -> None:
        later = []
        for key, value in tree.items():
            tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            if (isinstance(value, dict) or tables) and self.pick(3):
                later.append((key, value))
                continue
            self.text += ["", "  ", "# a comment = [\n", "\n"][self.pick(4)]
            self.note((*path, key))
            self.text += self.key(key) + [" = ", "=", " =\t"][self.pick(3)]
            self.value(value, (*path, key))
            self.text += ["\n", " # end ]\n"][self.pick(2)]
        for key, value in later:
            name = f"{head}.{self.key(key)}" if head else self.key(key)
            if isinstance(value, dict):
                self.note((*path, key))
                self.text += f"[{name}]\n"
                self.table(value, (*path, key), name)
                continue
            self.note((*path, key))
            for number, item in enumerate(value):
                self.note((*path, key, number))
                self.text += f"[[ {name} ]]\n"
                self.table(item, (*path, key, number), name)

    def value(self, value: Any, path: KeyPath) -> None:
        if isinstance(value, dict):
            self.text += "{"
            for number, (key, item) in enumerate(value.items()):
                self.text += ", " * bool(number)
                self.note((*path, key))
                self.text += self.key(key) + " = "
                self.value(item, (*path, key))
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for number, item in enumerate(value):
                self.text += ["", "\n", " # , ]\n"][self.pick(3)]
                self.note((*path, number))
                self.value(item, (*path, number))
                self.text += ","
            self.text += "]"
        elif isinstance(value, str) and self.pick(2):
            self.text += '"""' + value.rstrip('"').replace("\\", "\\\\").replace('"""', '\\"\\"\\"') + '"""'
        else:
            self.text += json.dumps(value)


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=6) | st.sampled_from(
    ["a", "b-c"]
)
STRINGS = st.text(st.sampled_from("ab \n\"'#[]{}=,.\\"), max_size=12)
LEAVES = STRINGS | st.integers(-9, 9) | st.booleans()
TREES = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(tree=TREES, choices=st.lists(st.integers(0, 11), min_size=1, max_size=20))
def test_every_key_of_any_toml_is_found_on_its_line(tree: dict[str, Any], choices: list[int]) -> None:
    writer = Writer(choices)
    writer.table(tree, (), "")
    parsed = tomllib.loads(writer.text)
    assert set(writer.lines) == set(paths_in(parsed))
    assert locate(writer.text) == writer.lines
