"""The one JSON document of a command: every key is there, null or empty where its value is unknown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from deploykit.errors import DeploykitError, ExitCode
from deploykit.model.finding import one_line
from deploykit.model.hint import shown
from deploykit.model.probe import EndpointResult, Samples
from deploykit.model.report import RunReport, WayBack

SCHEMA = 1

_RUN: dict[str, Any] = {
    "outcome": "failed",
    "release": {"id": None, "sha": None, "previous_sha": None, "verdict": None},
    "services": {},
    "checks": {},
    "findings": [],
    "way_back": None,
    "steps": [],
}
_LOCK: dict[str, Any] = {"lease": None, "hold": None, "note": ""}
_SANDBOX: dict[str, Any] = {
    "running": False,
    "endpoint_url": None,
    "url": None,
    "connect_to": None,
    "load_balancer": None,
    "registry": None,
    "services": {},
}

EMPTY: dict[str, Mapping[str, Any]] = {
    **dict.fromkeys(("deploy", "rollback", "build", "push", "migrate", "rollout", "invalidate"), _RUN),
    "plan": {
        "outcome": None,  # nothing was looked at, so "unchanged" cannot be said
        "sha": None,
        "services": {},
        "migrations": [],
        "invalidations": [],
        "refusals": [],
        "warnings": [],
        "way_back": None,
        "order": [],
        "continues": None,
    },
    "check": {"at": None, "healthy": None, "endpoints": [], "reason": None},
    "status": {
        "release": {"id": None, "sha": None, "verdict": None},
        "services": {},
        "lease": None,
        "hold": None,
        "unfinished": None,
        "drift": [],
        "way_back": None,
    },
    "history": {"releases": [], "stats": None},
    **dict.fromkeys(("lock show", "lock hold", "lock release"), _LOCK),
    "logs": {"lines": []},
    "init": {"file": None, "services": [], "commands": [], "left_out": [], "warnings": [], "guesses": 0},
    "demo": {"chapters": [], "requests": 0, "failed": 0, "rate": None, "problems": []},
    **dict.fromkeys(("sandbox up", "sandbox down", "sandbox status", "sandbox reset"), _SANDBOX),
}
"""The keys of each command's document when the command could not even begin."""

_OUTCOME_OF_ERROR = {
    ExitCode.REFUSED: "refused",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.INTERRUPTED: "interrupted",
}


def plain(value: Any, options: Sequence[str] | None = None) -> Any:
    """``value`` as JSON has it: dataclasses become objects, enums their value, moments RFC 3339 in UTC.

    The findings of a way back become lines. A `Hint` stays one until the ``options`` of its commands are given.
    """
    if isinstance(value, WayBack):
        problems = [one_line(finding) for finding in value.findings]
        return plain({"ready": value.ready, "release": value.release, "problems": problems}, options)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), options) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item, options) for key, item in value.items()}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [plain(item, options) for item in value]
    return value if options is None else shown(value, options)


def envelope(
    command: str, environment: str | None, exit_code: int, seconds: float, calls: Mapping[str, int]
) -> dict[str, Any]:
    """The keys of every document. ``calls``: requests to AWS by operation."""
    return {
        "schema": SCHEMA,
        "command": command,
        "environment": environment,
        "exit_code": int(exit_code),
        "seconds": round(float(seconds), 3),
        "api_calls": {"total": sum(calls.values()), "by_operation": dict(sorted(calls.items()))},
    }


def error_part(message: str, hint: str = "", error: DeploykitError | None = None) -> dict[str, Any]:
    """The ``error`` object, with the problems of ``error``."""
    return {"message": message, "hint": hint, "problems": plain(error.problems if error is not None else ())}


def empty_part(command: str, code: int) -> dict[str, Any]:
    """The command's own keys when an error ended it before it had anything to report."""
    fields = dict(EMPTY.get(command, {}))
    if "outcome" in fields and command != "plan":
        fields["outcome"] = _OUTCOME_OF_ERROR.get(ExitCode(code), "failed")
    return fields


def run_part(report: RunReport) -> dict[str, Any]:
    """The keys of ``deploy``, ``rollback`` and the single steps; ``error`` says why a run did not end well."""
    part = {
        "outcome": plain(report.outcome),
        "release": plain(report.release),
        "services": {
            name: {key: value for key, value in plain(service).items() if key != "service"}  # that is the name
            for name, service in report.services.items()
        },
        "checks": {name: _endpoint(result) for name, result in report.checks.items()},
        "findings": plain(report.findings),
        "way_back": plain(report.way_back),
        "steps": plain(report.steps),
    }
    if report.exit_code != ExitCode.OK and report.message:
        part["error"] = error_part(report.message, report.hint)
    return part


def _endpoint(result: EndpointResult) -> dict[str, Any]:
    return {
        "class": plain(result.kind),
        "before": _samples(result.before),
        "after": _samples(result.after),
        "stale": result.stale,
        "version": result.version,
    }


def _samples(samples: Samples) -> dict[str, Any]:
    return {"samples": samples.samples, "failed": samples.failed, "failures": plain(samples.failures)}


def write(document: Mapping[str, Any], options: Sequence[str] = (), *, line: bool = False) -> str:
    """The document's text, ending in a newline; with ``line`` on one line, for a stream of documents.

    Every command in its hints gets the ``options`` (``--env``, ``--config`` and their values).
    """
    indent = None if line else 2
    return json.dumps(plain(document, options), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
