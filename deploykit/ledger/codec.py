"""A ledger entry as JSON, and back. Unknown fields are kept, missing ones are tolerated, nothing is guessed."""

from __future__ import annotations

import dataclasses
import json
import reprlib
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from deploykit.errors import FailedBefore
from deploykit.model.ledger import LedgerEntry

SCHEMA = 1
_ENTRY = TypeAdapter(LedgerEntry)
_FIELDS = {field.name for field in dataclasses.fields(LedgerEntry)} - {"extra"}

# How a missing field is read where its class has no default: in the entry itself (""), and in a field's objects.
_NO_IMAGE = {"sha": None, "image": None, "digest": None}
_FAILURE = {"expectation": "", "kind": "", "message": ""}
_BLANK: Mapping[str, Mapping[str, Any]] = {
    "": {"environment": "", "sha": None, "previous_sha": None, "started": "", "by": ""},
    "services": {**_NO_IMAGE, "task_definition": "", "previous_task_definition": None, "changed": False},
    "baseline": _FAILURE,
    "checks": {"class": None, **_FAILURE},
    "findings": {"id": "unknown", "severity": "error", "confidence": "low", "subject": "", "summary": ""},
    "steps": {"name": "", "seconds": 0.0},
    "invalidations": {"cdn": "", "distribution": "", "number": 0, "reference": "", "paths": []},
    "undo": {"why": ""},
    "migrations": {"release": "", "tree": "", "image": ""},
}
# How a word is read that only a newer deploykit knows.
_UNKNOWN_WORD: Mapping[tuple[str, str], str | None] = {
    ("", "verdict"): None,
    ("", "outcome"): None,
    ("checks", "class"): None,
    ("findings", "severity"): "error",
    ("findings", "confidence"): "low",
    ("migrations", "outcome"): "failed",  # only a good outcome makes the next run skip the migration
}


class BrokenRecord(FailedBefore):
    """A record that cannot be read; ``name`` says which."""

    def __init__(self, name: str, why: str) -> None:
        hint = "fix the record or move it away; the other records are not affected"
        super().__init__(f"ledger record {name} cannot be read: {why}", hint)
        self.name = name


def encode(entry: LedgerEntry) -> bytes:
    """The record as JSON in UTF-8, one field a line: readable with ``aws s3 cp … -``."""
    # by alias: the field metadata of our dataclasses names it, https://docs.pydantic.dev/latest/concepts/dataclasses/
    fields = _ENTRY.dump_python(entry, mode="json", by_alias=True, exclude={"extra"})
    extra = {name: value for name, value in entry.extra.items() if fields.get(name) is None}
    return (json.dumps({"schema": SCHEMA, **fields, **extra}, indent=1, ensure_ascii=False) + "\n").encode()


def decode(body: bytes, identifier: str, name: str) -> LedgerEntry:
    """The entry of the record called ``name``; ``identifier`` replaces a missing id.

    Raises: BrokenRecord, which names the record and the field that cannot be read.
    """
    try:
        document = from_json(body.decode("utf-8-sig"))  # an editor may have put a byte order mark in front
    except ValueError as error:
        raise BrokenRecord(name, f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise BrokenRecord(name, f"it holds {type(document).__name__}, not an object")
    if document.get("schema", SCHEMA) != SCHEMA:
        raise BrokenRecord(name, f"its schema is {document['schema']!r}, and this deploykit reads {SCHEMA}")
    fields = _fields(document, identifier)
    try:
        return _entry(fields)
    except ValidationError as refused:
        for problem in refused.errors(include_url=False):
            _tolerate(fields, problem)
    try:
        return _entry(fields)
    except ValidationError as refused:
        raise BrokenRecord(name, _reason(refused)) from None


def _fields(document: Mapping[str, Any], identifier: str) -> dict[str, Any]:
    """``document`` with id, kind and command filled in; ``extra`` has the fields that this deploykit does not know."""
    kind = document.get("kind") or "step"  # the kind that has no consequences
    named = {"id": document.get("id") or identifier, "kind": kind, "command": document.get("command") or kind}
    services = document.get("services")
    for key, service in services.items() if isinstance(services, dict) else ():
        if isinstance(service, dict):
            service["service"] = key
    extra = {name: value for name, value in document.items() if name not in _FIELDS and name != "schema"}
    return {**document, **named, "extra": extra}


def _entry(fields: Mapping[str, Any]) -> LedgerEntry:
    # strict, so that "7" is no number; as JSON, because strict Python values would be tuples and enum members
    return _ENTRY.validate_json(to_json(fields), strict=True)


def _tolerate(fields: dict[str, Any], problem: ErrorDetails) -> None:
    """Replace in ``fields`` what pydantic refused, where the entry can be read without it.

    Null counts as missing, and so does anything empty in place of an object or a list.
    """
    *way, name = problem["loc"]
    holder: Any = fields
    for key in way:
        holder = holder[key]
    if len(way) == 1 or not isinstance(name, str):
        return  # not a field, but a whole object or an item of a list
    section, value = str(way[0]) if way else "", holder.get(name)
    if value is None or (not value and problem["type"] in ("dict_type", "dataclass_type", "tuple_type")):
        holder.pop(name, None)  # its class has a default for it, or else the table
        if name in _BLANK.get(section, {}):
            holder[name] = _BLANK[section][name]
    elif (section, name) in _UNKNOWN_WORD:
        holder[name] = _UNKNOWN_WORD[section, name]
        if not way:
            fields["extra"][name] = value  # kept for the deploykit that knows it


def _reason(refused: ValidationError) -> str:
    """The first field that cannot be read, its value, pydantic's sentence about it, and the number of others."""
    first, *others = refused.errors(include_url=False)
    place = ".".join(map(str, first["loc"]))
    value = "missing" if first["type"] == "missing" else f"{reprlib.repr(first['input'])} ({first['msg']})"
    return f"{place} is {value}" + (f", and {len(others)} more" if others else "")
