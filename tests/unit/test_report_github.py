"""The job summary that each command leaves: its verdict, its proof, its tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from deploykit.errors import ExitCode
from deploykit.model.finding import Finding
from deploykit.model.release import Outcome
from deploykit.report import json as documents
from deploykit.report.github_commands import annotations_of
from deploykit.report.github_verdict import verdict_of
from tests.unit.github_kit import GOOD, ON, document_of, failed, markdown
from tests.unit.test_report_json import REPORT, SHA


@pytest.mark.parametrize(
    ("document", "sign", "said"),
    [
        (document_of(GOOD), "✅", "deployed, healthy"),
        (document_of(replace(GOOD, outcome=Outcome.UNCHANGED)), "✅", "nothing to do: it runs already, healthy"),
        (document_of(REPORT), "❌", "failed and rolled back; what runs is as healthy as before"),
        (document_of(replace(GOOD, outcome=Outcome.ROLLED_BACK), "rollback"), "✅", "rolled back, healthy"),
        (document_of(replace(REPORT, exit_code=11)), "❌", "not healthy"),
        (document_of(replace(REPORT, exit_code=12)), "⚠️", "inconclusive: health could not be judged"),
        (failed("deploy", 2), "❌", "not begun: the command line or the configuration is wrong"),
        (failed("deploy", 3), "❌", "failed: something is out of reach or not allowed; nothing that runs was touched"),
        (failed("deploy", 4), "❌", "refused; nothing that runs was touched"),
        (failed("build", 5), "❌", "failed before anything that runs was touched"),
        (failed("migrate", 6), "❌", "the migration failed; no service was touched"),
        (failed("rollout", 130), "⚠️", "interrupted"),
        (failed("status", 1), "❌", "failed: a bug in deploykit"),
    ],
)
def test_the_first_line_is_the_verdict_in_a_sign_and_in_words(document: Any, sign: str, said: str) -> None:
    first = markdown(document).strip().splitlines()[0]
    assert first.startswith(f"### {sign} ")
    assert first.endswith(f": {said}")
    assert "`dev`" in first


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"command": "check", "exit_code": 11, "endpoints": [{"ok": False, "severity": "error"}]}, "1 of 1 endpoints"),
        ({"command": "check", "exit_code": 0, "endpoints": [{"ok": True}]}, "✅ check on `dev`: healthy"),
        ({"command": "check", "exit_code": 0, "endpoints": [{"ok": None}]}, "but look at 1 of 1"),
        (
            {"command": "lock show", "exit_code": 0, "lease": None, "hold": None, "note": ""},
            "✅ lock show on `dev`: free",
        ),
        ({"command": "lock show", "exit_code": 0, "lease": {}, "hold": {"by": "x"}, "note": ""}, "deploys are frozen"),
        ({"command": "plan", "exit_code": 0, "sha": SHA, "refusals": ["a", "b"]}, "would refuse, for 2 reasons"),
    ],
)
def test_reading_commands_have_verdicts_of_their_own(document: dict[str, Any], said: str) -> None:
    assert said in verdict_of({"environment": "dev", **document})


def test_a_run_is_proven_in_five_lines() -> None:
    lines = markdown(document_of(GOOD)).splitlines()
    proof = [line for line in lines if line.startswith("- **")]
    assert proof == [
        "- **runs**: api `sha256:1`",
        "- **commit seen** at `https://shop.example`: not looked at",
        "- **way back**: ready, release `20261120T062000Z-0000000`",
        "- **took**: 1 min 35 s",
        "- **AWS calls**: 7",
    ]


def test_services_and_checks_are_tables_and_a_finding_is_quoted() -> None:
    text = markdown(document_of(REPORT))
    assert "| api | `sha256:1` | `api:8` | `api:7` | `1a2b3c4` | changed |" in text
    assert "| home | pre-existing | 9 of 9 | 4 of 12 | was 500 |" in text
    assert "| new | not judged | – | – | – |" in text
    assert "**error**: api exits with 1\n\n```text\nboom\n```\n\n→ fix it\n" in text
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    assert rendered.count("<table>") == 2


def test_a_commit_that_was_seen_before_the_undo_is_not_taken_for_what_runs() -> None:
    checks = {name: replace(result, version="b" * 40) for name, result in REPORT.checks.items()}
    text = markdown(document_of(replace(REPORT, checks=checks)))
    assert "home `bbbbbbb` (not what runs now)" in text
    stale = {name: replace(result, version="b" * 40, stale=True) for name, result in REPORT.checks.items()}
    assert "home `bbbbbbb` (an old version)" in markdown(document_of(replace(REPORT, checks=stale)))


def test_commands_to_type_are_code_also_where_they_stand_on_lines_of_their_own() -> None:
    document = failed("deploy", 4, "frozen", "`deploykit lock release` ends it\ndeploykit status\n")
    assert "→ `deploykit lock release` ends it\n\n```text\ndeploykit status\n```" in markdown(document)
    crash = Finding("x", "error", "high", "api", "down", hint="deploykit logs api --since 10m")
    text = markdown(document_of(replace(REPORT, findings=(crash,))))
    assert "**error**: api: down\n\n→ `deploykit logs api --since 10m`" in text


@pytest.mark.parametrize("command", [*documents.EMPTY, "", "of a later version"])
@pytest.mark.parametrize("code", [code for code in ExitCode if code])
def test_every_command_that_could_not_even_begin_has_a_summary(command: str, code: int) -> None:
    text = markdown(failed(command, code, "no network", "try again"), None)
    assert "\n\nno network\n\n→ try again\n" in text
    assert annotations_of(failed(command, code), ON)


def test_status_shows_services_drift_the_lock_and_what_is_not_finished() -> None:
    service = {"sha": None, "image": f"1.dkr.ecr/shop/api@sha256:{'c' * 64}", "desired": 2, "running": 1}
    service |= {"rollout": "in_progress", "since": "2026-11-21T05:50:00Z", "by": "ann"}
    status = documents.envelope("status", "dev", 0, 1.0, {}) | {
        "release": {"id": None, "sha": None, "verdict": None},
        "services": {"api": service},
        "drift": [{"service": "api", "path": "cpu", "released": 256, "running": None}],
        "lease": {"holder": "bob", "command": "deploy", "sha": SHA, "since": "2026-11-21T06:10:00Z"},
        "hold": {"by": "ann", "reason": "db moves", "since": "2026-11-21T06:11:00Z"},
        "unfinished": {
            "doing": "undo",
            "sha": SHA,
            "by": "bob",
            "started": "x",
            "under_way": False,
            "command": "deploy",
        },
        "way_back": {"ready": True, "release": "id", "problems": ["could not look for secret y"]},
    }
    text = markdown(status)
    assert "⚠️ status on `dev`: what runs is not what was released; a run is not finished; frozen" in text
    assert "| api | `sha256:cccccccccccc` | 1 of 2 | in progress | 2026-11-21T05:50:00Z | ann |" in text
    assert "| api | `cpu` | `256` | – |" in text
    assert "- **not finished**: the undo of `1a2b3c4` by bob, begun x; `deploykit deploy` continues" in text
    assert "- **locked** by bob: deploy `1a2b3c4` since 2026-11-21T06:10:00Z" in text
    assert "- **frozen** by ann since 2026-11-21T06:11:00Z: db moves" in text
    assert "**way back**: ready, release `id` (though could not look for secret y)" in text


def test_a_check_shows_what_each_endpoint_answered() -> None:
    home = {"id": "home", "ok": False, "severity": "error", "status": 500, "latency_ms": 12.3, "version": SHA}
    side = {"id": "side", "ok": None, "severity": "warn", "status": None, "latency_ms": None, "version": None}
    part = {"endpoints": [{**home, "failures": ["status is 500"]}, {**side, "failures": []}], "healthy": False}
    text = markdown(documents.envelope("check", "dev", 11, 1.0, {}) | part | {"reason": "home is down"})
    assert "❌ check on `dev`: not healthy: 1 of 2 endpoints are down" in text
    assert "| home | down | 500 | 12 ms | `1a2b3c4` | status is 500 |" in text
    assert "| side | not judged (warns only) | – | – | – | – |" in text
