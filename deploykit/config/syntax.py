"""What is wrong with a file that is not TOML, and what to write instead: tomllib says where, but seldom what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from tomllib import TOMLDecodeError

from deploykit.errors import ConfigError, Problem


@dataclass(frozen=True)
class _Place:
    """Where tomllib stopped. ``column`` counts from 1; 0: at the end of the file."""

    text: str
    number: int
    column: int

    @property
    def line(self) -> str:
        lines = self.text.splitlines()
        return lines[self.number - 1] if 0 < self.number <= len(lines) else ""

    @property
    def key(self) -> str:
        return re.split(r"\s*[=:]", self.line.strip(), maxsplit=1)[0]

    @property
    def value(self) -> str:
        """What follows the = of the line, without a comment."""
        return self.line.partition("=")[2].partition("#")[0].strip()


def syntax_error(error: TOMLDecodeError, text: str, shown_path: str) -> ConfigError:
    """The error for people: file and line, what is wrong there, and what to write instead."""
    where = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
    said = str(error)[: where.start()] if where else str(error).removesuffix(" (at end of document)")
    number = int(where[1]) if where else max(1, len(text.splitlines()))
    place = _Place(text, number, int(where[2]) if where else 0)
    at = f"at column {place.column}" if place.column else "at the end of the file"
    problem = Problem(f"not TOML {at}: {_explained(said, place)}", shown_path, number)
    return ConfigError(f"{shown_path} is not TOML", "fix this line first; see https://toml.io", [problem])


def _explained(said: str, place: _Place) -> str:
    here = place.line[place.column - 1 : place.column] if place.column else ""
    if here in tuple("“”„‘’"):
        return f'{here} is not a quotation mark of TOML: write "'
    explain = next((explain for pattern, explain in _SAID.items() if re.match(pattern, said)), said)
    return explain if isinstance(explain, str) else explain(place)


def _no_equals(place: _Place) -> str:
    if re.match(r"\s*[\w.-]+\s*:", place.line):
        value = place.line.partition(":")[2].strip()
        if not value:
            return f"{place.key}: is YAML; a TOML table begins with [{place.key}]"
        return f"write {place.key} = {value}, not {place.key}: {value}"
    return f"there is no = after {place.key.split()[0] if place.key else 'the key'}"


def _no_value(place: _Place) -> str:
    value = place.value
    if not value:
        return f"{place.key} has no value: write one after ="
    if value.lower() in ("true", "false"):
        return f"write {value.lower()}, in lower case"
    if value.lower() in ("none", "null", "nil"):
        return f"TOML has no {value}: leave {place.key} out"
    return (
        f'{value}: a string needs quotation marks: write "{value}"' if '"' not in value else f"{value} is not a value"
    )


def _twice(place: _Place) -> str:
    header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", place.line)
    if header is None:
        return f"{place.key} already has a value: keep one of the two"
    before = place.text.splitlines()[: place.number - 1]
    same = re.compile(rf"\s*\[+\s*{re.escape(header[1])}\s*\]")
    first = next((number for number, line in enumerate(before, 1) if same.match(line)), None)
    if first is None:
        return f"{header[1]} is already defined by its keys above: add these keys there"
    return f"[{header[1]}] is already in line {first}: add these keys there"


def _no_statement(place: _Place) -> str:
    if place.line.strip().startswith(("//", "--", ";", "/*")):
        return "a comment begins with #"
    return 'neither key = value, nor [table], nor "# comment"'


_SAID: dict[str, str | Callable[[_Place], str]] = {
    r"Illegal character '\\n'": lambda at: f"the string after {at.key} = is not closed: add its quotation mark",
    r"Unterminated string": "a string is not closed: add its quotation mark",
    r"Expected '=' after a key": _no_equals,
    r"Invalid value": _no_value,
    r"Cannot overwrite a value": _twice,
    r"Cannot declare .* twice": _twice,
    r"Unclosed array": "a list above is not closed: add its ]",
    r"Unclosed inline table": "a table in braces is not closed: add its } (in the same line)",
    r"Expected newline or end of document": lambda at: (
        f"unexpected {at.line[at.column - 1 :].strip()}: a line ends after its value"
    ),
    r"Invalid statement": _no_statement,
    r"Cannot mutate immutable namespace": "a table in braces cannot be extended: write the key inside its braces",
}
"""What tomllib says, to what people should know; its other messages are shown as they are."""
