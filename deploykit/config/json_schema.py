"""JSON Schema of deploykit.toml, for editors, made from the types that read it."""

from __future__ import annotations

from typing import Any

from deploykit.config.durations import PATTERN, format_duration
from deploykit.config.overlay import OVERLAYS
from deploykit.config.schema import Tables

_BY_ENVIRONMENT = ("Cdn", "Migrate")  # their required keys may be in the file's table or in an overlay


def json_schema() -> dict[str, Any]:
    """The schema of the whole file, with what environments overlay (draft 2020-12).

    It accepts every file that `load` accepts; only `load` knows what one table requires of another.
    """
    tables = Tables.model_json_schema(by_alias=True)
    definitions = {name: _plain(definition) for name, definition in tables["$defs"].items()}
    for name in _BY_ENVIRONMENT:
        definitions[name].pop("required", None)
    properties = {key: _plain(value) for key, value in tables["properties"].items() if key != "environment"}
    definitions["Environment"]["properties"] |= {key: properties[key] for key in OVERLAYS}
    environments = {
        "description": "The places where the project runs, by name.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/Environment"},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "deploykit.toml",
        "description": "What deploykit releases, and where.",
        "type": "object",
        "properties": {"project": properties.pop("project"), "environments": environments, **properties},
        "required": ["project", "environments"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _plain(node: Any) -> Any:
    """``node`` for TOML: without null, empty defaults and titles of types; with durations as text."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _plain(value) for key, value in node.items() if key != "title" or isinstance(value, dict)}
    if isinstance(choices := plain.get("anyOf"), list):
        plain["anyOf"] = [choice for choice in choices if choice != {"type": "null"}]
        if len(plain["anyOf"]) == 1:
            plain |= plain.pop("anyOf")[0]
    if "default" in plain:
        default = plain["default"]
        if default in (None, "", []) or isinstance(default, dict):
            del plain["default"]
        elif plain.get("pattern") == PATTERN:
            plain["default"] = format_duration(default)
    return plain
