"""A ledger entry as JSON, and back. Unknown fields survive, missing ones are tolerated, nothing is guessed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

from deploykit.errors import FailedBefore
from deploykit.model.finding import Finding
from deploykit.model.ledger import InvalidationRecord, LedgerEntry
from deploykit.model.migration import OUTCOMES, MigrationRecord
from deploykit.model.probe import EndpointClass, EndpointResult, Failure, Samples
from deploykit.model.release import Outcome, ReleasedService, Verdict
from deploykit.model.report import StepReport

SCHEMA = 1
KINDS = ("deploy", "rollback", "step")

_Word = TypeVar("_Word", bound=Enum)
_Item = TypeVar("_Item")
Json = Mapping[str, Any]


class BrokenRecord(FailedBefore):
    """A record that cannot be read; ``name`` says which."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"ledger record {name} cannot be read: {why}",
            "mend or move it away; the other records are not affected",
        )
        self.name = name


def encode(entry: LedgerEntry) -> bytes:
    """The record's text: JSON in UTF-8, one field a line so that it reads well with ``aws s3 cp … -``."""
    fields = {f.name: _plain(getattr(entry, f.name)) for f in dataclasses.fields(entry) if f.name != "extra"}
    fields["checks"] = {key: _result(result) for key, result in entry.checks.items()}
    unread = {k: v for k, v in entry.extra.items() if k not in fields or fields[k] is None}
    return (json.dumps({"schema": SCHEMA, **fields, **unread}, indent=1, ensure_ascii=False) + "\n").encode()


def decode(body: bytes, identifier: str, name: str) -> LedgerEntry:
    """The entry of a record called ``name``; ``identifier`` stands in for a missing id.

    Raises: BrokenRecord.
    """
    try:
        document = json.loads(body)
    except ValueError as error:
        raise BrokenRecord(name, f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise BrokenRecord(name, f"it holds {type(document).__name__}, not an object")
    if document.get("schema", SCHEMA) != SCHEMA:
        raise BrokenRecord(name, f"its schema is {document['schema']!r}, and this deploykit reads {SCHEMA}")
    try:
        return _entry(document, identifier)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BrokenRecord(name, f"{error}") from None


def _entry(document: Json, identifier: str) -> LedgerEntry:
    kind: Any = document.get("kind") or "step"  # the kind from which nothing follows
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}, not one of {', '.join(KINDS)}")
    known = {field.name for field in dataclasses.fields(LedgerEntry)} - {"extra"} | {"schema"}
    verdict, outcome = _word(Verdict, document.get("verdict")), _word(Outcome, document.get("outcome"))
    # a word of a newer deploykit's means nothing here, and is kept for the deploykit that knows it
    unread = {name for name, value in (("verdict", verdict), ("outcome", outcome)) if value is None}
    baseline = document.get("baseline")
    return LedgerEntry(
        id=_text(document, "id") or identifier,
        kind=kind,
        command=_text(document, "command") or kind,
        environment=_text(document, "environment") or "",
        sha=_text(document, "sha"),
        previous_sha=_text(document, "previous_sha"),
        started=_text(document, "started") or "",
        by=_text(document, "by") or "",
        committed=_text(document, "committed"),
        ended=_text(document, "ended"),
        host=_text(document, "host") or "",
        run_url=_text(document, "run_url"),
        seconds=_number(document, "seconds"),
        verdict=verdict,
        outcome=outcome,
        reason=_text(document, "reason"),
        services={key: _service(key, value) for key, value in _table(document, "services").items()},
        baseline=None if baseline is None else {key: _samples(v) for key, v in _table(document, "baseline").items()},
        checks={key: _endpoint(value) for key, value in _table(document, "checks").items()},
        findings=_each(document, "findings", _finding),
        steps=_each(document, "steps", _step),
        invalidations=_each(document, "invalidations", _invalidation),
        migrations={key: _migration(value) for key, value in _table(document, "migrations").items()},
        target=_text(document, "target"),
        withdrawn_by=_text(document, "withdrawn_by"),
        extra={k: v for k, v in document.items() if k not in known or (k in unread and v is not None)},
    )


def _service(key: str, value: Json) -> ReleasedService:
    return ReleasedService(
        service=key,
        sha=_text(value, "sha"),
        image=_text(value, "image"),
        digest=_text(value, "digest"),
        task_definition=_text(value, "task_definition") or "",
        previous_task_definition=_text(value, "previous_task_definition"),
        changed=value.get("changed") is True,
    )


def _failure(value: Json) -> Failure:
    return Failure(*(_text(value, name) or "" for name in ("expectation", "kind", "message")))


def _samples(value: Json) -> Samples:
    return Samples(
        int(_number(value, "samples") or 0), int(_number(value, "failed") or 0), _each(value, "failures", _failure)
    )


def _endpoint(value: Json) -> EndpointResult:
    return EndpointResult(
        kind=_word(EndpointClass, value.get("class")),
        before=_samples(_table(value, "before")),
        after=_samples(_table(value, "after")),
        stale=value.get("stale") is True,
        version=_text(value, "version"),
    )


def _finding(value: Json) -> Finding:
    confidence: Any = value.get("confidence")
    return Finding(
        id=_text(value, "id") or "unknown",
        severity="warning" if value.get("severity") == "warning" else "error",
        confidence=confidence if confidence in ("high", "medium") else "low",
        subject=_text(value, "subject") or "",
        summary=_text(value, "summary") or "",
        evidence=tuple(str(line) for line in value.get("evidence") or ()),
        hint=_text(value, "hint") or "",
        runbook=_text(value, "runbook") or "",
    )


def _step(value: Json) -> StepReport:
    status = value.get("status")
    if status not in ("done", "skipped", "failed", "undone"):
        raise ValueError(f"step {value.get('name')!r} has status {status!r}")
    return StepReport(_text(value, "name") or "", status, _number(value, "seconds") or 0.0)


def _invalidation(value: Json) -> InvalidationRecord:
    purpose = value.get("purpose")
    if purpose not in ("release", "undo", "stale", "step"):
        raise ValueError(f"invalidation {value.get('reference')!r} has purpose {purpose!r}")
    return InvalidationRecord(
        cdn=_text(value, "cdn") or "",
        distribution=_text(value, "distribution") or "",
        purpose=purpose,
        number=int(_number(value, "number") or 0),
        reference=_text(value, "reference") or "",
        paths=tuple(str(path) for path in value.get("paths") or ()),
        id=_text(value, "id"),
    )


def _migration(value: Json) -> MigrationRecord:
    outcome, code = value.get("outcome"), _number(value, "exit_code")
    return MigrationRecord(
        release=_text(value, "release") or "",
        tree=_text(value, "tree") or "",
        image=_text(value, "image") or "",
        # a word of a newer deploykit's is an end all the same, and only a good one spares a migration
        outcome=next((word for word in OUTCOMES if word == outcome), None if outcome is None else "failed"),
        attempt=int(_number(value, "attempt") or 1),
        task_definition=_text(value, "task_definition"),
        task=_text(value, "task"),
        exit_code=None if code is None else int(code),
        started=_text(value, "started") or "",
    )


def _result(result: EndpointResult) -> dict[str, Any]:
    """An endpoint's result with ``class``, the word that reports use too."""
    fields = _plain(result)
    return {"class": fields.pop("kind"), **fields}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _text(document: Json, name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not a text")
    return value


def _number(document: Json, name: str) -> float | None:
    value = document.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ValueError(f"{name} is {value!r}, not a number")
    return value


def _table(document: Json, name: str) -> Json:
    value = document.get(name) or {}
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {type(value).__name__}, not an object")
    return value


def _each(document: Json, name: str, read: Callable[[Json], _Item]) -> tuple[_Item, ...]:
    value = document.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"{name} is {type(value).__name__}, not a list")
    return tuple(read(item) for item in value)


def _word(words: type[_Word], value: object) -> _Word | None:
    return next((word for word in words if word.value == value), None)
