"""The documents of runs: INTERFACE.md's keys, all of them, always."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from deploykit.errors import ExitCode, Problem, UsageError
from deploykit.model.finding import Finding
from deploykit.model.probe import EndpointClass, EndpointResult, Failure, Samples
from deploykit.model.release import Outcome, ReleasedService, ReleaseSummary, Verdict
from deploykit.model.report import RunReport, StepReport, WayBack
from deploykit.report import json as documents

SHA = "1a2b3c4" + "0" * 33
SERVICE = ReleasedService("api", SHA, "r@sha256:1", "sha256:1", "arn:td/api:8", "arn:td/api:7", True)
REPORT = RunReport(
    outcome=Outcome.ROLLED_BACK,
    exit_code=10,
    release=ReleaseSummary("20261121T062000Z-1a2b3c4", SHA, "0" * 40, Verdict.UNHEALTHY),
    services={"api": SERVICE},
    checks={
        "home": EndpointResult(
            EndpointClass.PRE_EXISTING, Samples(9, 9), Samples(12, 4, (Failure("status", "500", "was 500"),))
        ),
        "new": EndpointResult(None),
    },
    findings=(Finding("crash", "error", "high", "api", "api exits with 1", ("boom",), "fix it"),),
    way_back=WayBack(True, "20261120T062000Z-0000000"),
    steps=(StepReport("build", "done", 3.25), StepReport("roll out", "undone", 60.0)),
    message="put back",
    hint="read the log",
)


def test_a_run_has_the_keys_of_the_interface() -> None:
    part = documents.run_part(REPORT)
    assert part["outcome"] == "rolled_back"
    assert part["release"] == {
        "id": "20261121T062000Z-1a2b3c4",
        "sha": SHA,
        "previous_sha": "0" * 40,
        "verdict": "unhealthy",
    }
    assert part["services"]["api"] == {
        "sha": SHA,
        "image": "r@sha256:1",
        "digest": "sha256:1",
        "task_definition": "arn:td/api:8",
        "previous_task_definition": "arn:td/api:7",
        "changed": True,
    }
    assert part["checks"]["home"]["class"] == "pre-existing"
    assert part["checks"]["home"]["before"] == {"samples": 9, "failed": 9, "failures": []}
    assert part["checks"]["home"]["after"]["failures"][0]["kind"] == "500"
    assert part["checks"]["new"]["class"] is None
    assert part["findings"][0].keys() == {
        "id",
        "severity",
        "confidence",
        "subject",
        "summary",
        "evidence",
        "hint",
        "runbook",
    }
    assert part["way_back"] == {"ready": True, "release": "20261120T062000Z-0000000", "problems": []}
    assert part["steps"][1] == {"name": "roll out", "status": "undone", "seconds": 60.0}


def test_the_findings_of_a_way_back_are_told_as_lines() -> None:
    missing = Finding("role-missing", "error", "high", "api", "role x does not exist", hint="create it")
    unseen = Finding("could-not-look", "warning", "low", "api", "could not look for secret y")
    assert documents.plain({"way_back": WayBack(False, None, (missing, unseen))})["way_back"] == {
        "ready": False,
        "release": None,
        "problems": ["role x does not exist: create it", "could not look for secret y"],
    }


def test_a_run_that_did_not_end_well_says_why_in_error_and_a_good_one_has_none() -> None:
    assert documents.run_part(REPORT)["error"] == {"message": "put back", "hint": "read the log", "problems": []}
    good = RunReport(Outcome.DEPLOYED, 0, ReleaseSummary(None, SHA), message="released and healthy")
    assert "error" not in documents.run_part(good)


def test_an_error_before_the_run_leaves_every_key_there() -> None:
    for code, outcome in ((ExitCode.REFUSED, "refused"), (ExitCode.FAILED_BEFORE, "failed"), (130, "interrupted")):
        part = documents.empty_part("rollback", code)
        assert part.keys() == documents.run_part(REPORT).keys() - {"error"}
        assert part["outcome"] == outcome


def test_the_envelope_counts_calls_by_operation() -> None:
    document = documents.envelope("deploy", "dev", ExitCode.OK, 1.23456, {"sts:B": 2, "ecs:A": 1})
    assert document == {
        "schema": 1,
        "command": "deploy",
        "environment": "dev",
        "exit_code": 0,
        "seconds": 1.235,
        "api_calls": {"total": 3, "by_operation": {"ecs:A": 1, "sts:B": 2}},
    }
    assert list(document["api_calls"]["by_operation"]) == ["ecs:A", "sts:B"]


def test_problems_keep_file_line_and_key() -> None:
    error = UsageError("no", "yes", [Problem("wrong", "a.toml", 3, "a.b")])
    part = documents.error_part(error.message, error.hint, error)
    assert part["problems"] == [{"message": "wrong", "file": "a.toml", "line": 3, "key": "a.b"}]


def test_moments_are_utc_and_streams_hold_one_document_a_line() -> None:
    moment = datetime(2026, 11, 21, 6, 20, tzinfo=UTC)
    text = documents.write({"at": moment, "text": "a\nb"}, line=True)
    assert text.count("\n") == 1
    assert json.loads(text) == {"at": "2026-11-21T06:20:00Z", "text": "a\nb"}
