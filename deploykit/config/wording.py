"""pydantic's errors for people: the key, the value, what is expected, and what to write instead."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date, time
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from deploykit.config.checks import Matchers
from deploykit.config.locate import KeyPath
from deploykit.config.nearest import nearest
from deploykit.config.overlay import OVERLAYS
from deploykit.config.scalars import Table
from deploykit.config.schema import Environment

_NUMBERS = ("gt", "lt")  # matchers whose number may be an int or a float


def shown(value: Any) -> str:
    """``value`` about as the file has it, on one line of at most 60 characters."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        text = "{ " + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + " }" if value else "{}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(shown(item) for item in value) + "]"
    else:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…" + text[-1]


def suggestion(word: str, known: Iterable[str], none: str = "there is none") -> str:
    """The end of a sentence about an unknown ``word``: the nearest known one, or all of them."""
    names = list(known)
    if near := nearest(word, names):
        return f'did you mean "{near}"?'
    return f"there {'are' if len(names) > 1 else 'is'} {', '.join(names)}" if names else none


def key_text(path: KeyPath, file: dict[str, Any]) -> str:
    """``path`` as a dotted key, with an endpoint's id instead of its number."""
    text = ""
    node: Any = file
    for part in path:
        if isinstance(part, int) and node is not None and not isinstance(node, list):
            continue  # a single value where a list may be
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(part, int):
            identifier = node.get("id") if isinstance(node, dict) else None
            text += f"[{identifier if isinstance(identifier, str) else part}]"
        else:
            quoted = (
                part if part.replace("-", "a").replace("_", "a").isalnum() else json.dumps(part, ensure_ascii=False)
            )
            text += f".{quoted}" if text else quoted
    return text


def clean_path(location: tuple[int | str, ...]) -> KeyPath:
    """pydantic's location without its marks for union members and for keys, which are not in the file."""
    if location[-2:-1] and location[-2] in _NUMBERS and location[-1] in ("int", "float"):
        location = location[:-1]
    return tuple(part for part in location if not (isinstance(part, str) and (part[:1] == "<" or part == "[key]")))


def expectation(error: ErrorDetails) -> str:
    """What the value should be, as the end of a sentence."""
    say = _SAY.get(error["type"])
    return say(error) if say else error["msg"]


def unknown_key(model: type[Table], path: KeyPath, key: str) -> tuple[str, str | None]:
    """The end of a sentence about the unknown ``key`` of the table at ``path``, and the key it suggests."""
    table = _table_at(model, path)
    if table is Matchers:
        dotted = f"{path[-1]}.{key}"
        return f'is not a matcher (matches, gt, lt, exists); the path to a value is one key in quotes: "{dotted}"', None
    known = [field.alias or name for name, field in table.model_fields.items()]
    known += OVERLAYS if table is Environment else ()
    return f"is not a key here; {suggestion(key, known)}", nearest(key, known)


def description(model: type[Table], path: KeyPath) -> str:
    """The first sentence of what the schema says about the key ``path``, to follow a colon."""
    table = _table_at(model, path[:-1])
    for name, field in table.model_fields.items():
        if (field.alias or name) == path[-1]:
            text = (field.description or "").split(";")[0].split(". ")[0].rstrip(".")
            plain = text.split(" ")[0][1:].islower()  # not a name, such as CloudFront or ECS
            return text[:1].lower() + text[1:] if plain else text
    return ""


def _table_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The model of the table at ``path``."""
    inside = False  # the next part is a key of a dict or a number in a list, not a field
    for part in path:
        if inside:
            inside = False
            continue
        annotation = next(
            (field.annotation for name, field in model.model_fields.items() if (field.alias or name) == part), None
        )
        found = _table_in(annotation)
        if found is not None:
            model, inside = found
    return model


def _table_in(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """The model inside ``annotation``, and whether it is in a dict or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        if found := _table_in(part):
            return found[0], found[1] or get_origin(annotation) in (dict, tuple)
    return None


def _text(error: ErrorDetails) -> str:
    value = error["input"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'must be text: write "{value}"'
    return "must be text, in quotes"


def _number(kind: str, read: Callable[[str], object]) -> Callable[[ErrorDetails], str]:
    def say(error: ErrorDetails) -> str:
        if isinstance(value := error["input"], str):
            with suppress(ValueError):
                read(value)
                return f"must be {kind}: write {value.strip()}, without quotes"
        return f"must be {kind}"

    return say


def _boolean(error: ErrorDetails) -> str:
    value = error["input"]
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return f"must be true or false: write {value.lower()}, without quotes"
    return "must be true or false"


def _list(error: ErrorDetails) -> str:
    value = error["input"]
    if error["loc"][-1] == "command" and isinstance(value, str):
        return f"must be a list: write {shown(_words(value))}"
    if error["loc"][-1] in _LISTS_OF_TABLES and isinstance(value, dict):
        return f"must be a list of tables: write [[{'.'.join(map(str, error['loc']))}]], with two brackets"
    return f"must be a list: write [{shown(value)}]" if isinstance(value, str) else "must be a list"


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation mark is not closed
        return command.split()


def _table(error: ErrorDetails) -> str:
    example = _TABLES.get(str(error["loc"][-1]))
    return f"must be a table, such as {example}" if example else "must be a table"


def _choice(error: ErrorDetails) -> str:
    words = error.get("ctx", {}).get("expected", "").replace("' or '", "', '").strip("'").split("', '")
    if error["loc"][-1] == "[key]":
        return f"is not a key here; {suggestion(str(error['input']), words)}"
    value = error["input"]
    near = nearest(value, words) if isinstance(value, str) else None
    choices = ", ".join(json.dumps(word) for word in words[:-1]) + f" or {json.dumps(words[-1])}"
    return f"must be {choices}" + (f'; did you mean "{near}"?' if near else "")


def _moment(error: ErrorDetails) -> str:
    quoted = ", without quotes" if isinstance(error["input"], str) else ""
    return f"must be a date and time, such as 2026-11-21T22:00:00Z{quoted}"


_LISTS_OF_TABLES = ("endpoints", "maintenance")
_TABLES = {
    "build_args": '{ BASE = "node:20-alpine" }',
    "build_secrets": '{ npm = "NPM_TOKEN" }',
    "environment": '{ NODE_ENV = "production" }',
    "expect": "{ status = 200 }",
    "headers": '{ accept = "text/html" }',
    "json": '{ status = "ok" }',
    "migrate": '{ command = ["npm", "run", "migrate"] }',
    "roles": '{ deploy = "arn:aws:iam::…:role/…" }',
    "secrets": '{ API_KEY = "shop/api:key" }',
    "services": "[services.NAME]",
    "version": '{ json = "version" }',
}

_SAY: dict[str, Callable[[ErrorDetails], str]] = {
    "string_type": _text,
    "int_type": _number("a whole number", int),
    "float_type": _number("a number", float),
    "bool_type": _boolean,
    "tuple_type": _list,
    "dict_type": _table,
    "model_type": _table,
    "model_attributes_type": _table,
    "literal_error": _choice,
    "datetime_type": _moment,
    "datetime_from_date_parsing": _moment,
}
