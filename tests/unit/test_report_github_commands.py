"""What GitHub's runner reads in the log of a step: annotations, groups, and nothing else."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

from deploykit.errors import ExitCode, Problem
from deploykit.model.finding import Finding
from deploykit.report import json as documents
from deploykit.report import terminal
from deploykit.report.github_commands import GroupedProgress, annotations_of, disarmed_json
from tests.unit.github_kit import GOOD, ON, document_of, failed
from tests.unit.test_report_json import REPORT

NOW = datetime(2026, 11, 21, 6, 20, tzinfo=UTC)


def test_a_problem_of_a_file_is_marked_there(tmp_path: Path) -> None:
    inside, outside = tmp_path / "work" / "app" / "deploykit.toml", tmp_path / "other.toml"
    problems = (Problem("wrong: 50%, no\nmore", str(inside), 3), Problem("bad", str(outside), 4), Problem("x", "a,b:c"))
    environ = {**ON, "GITHUB_WORKSPACE": str(tmp_path / "work")}
    assert annotations_of(failed("deploy", 2, "2 problems", "", *problems), environ) == [
        "::error file=app/deploykit.toml,line=3,title=deploykit deploy::wrong: 50%25, no%0Amore",
        f"::error file={outside},line=4,title=deploykit deploy::bad",
        "::error file=a%2Cb%3Ac,title=deploykit deploy::x",
    ]


def test_refusals_and_failed_runs_are_errors_and_good_ones_are_none() -> None:
    refused = failed("deploy", 4, "frozen by ann", "`deploykit lock release` ends it")
    said = "::error title=deploykit deploy::frozen by ann%0A`deploykit lock release` ends it"
    assert annotations_of(refused, ON) == [said]
    assert annotations_of(document_of(REPORT), ON) == ["::error title=deploykit deploy::put back%0Aread the log"]
    assert annotations_of(document_of(GOOD), ON) == []
    down = {"id": "home", "ok": False, "severity": "error", "failures": ["status is 500"]}
    check = {"command": "check", "exit_code": 11, "endpoints": [down], "reason": "1 is down"}
    assert annotations_of(check, ON) == ["::error title=deploykit check::home: status is 500"]


def test_warnings_are_warnings_and_at_most_ten_of_a_kind_with_the_rest_counted() -> None:
    found = tuple(Finding("w", "warning", "low", "api", f"careful {n}") for n in range(13))
    problems = [Problem(f"wrong {n}", "a.toml", n) for n in range(1, 12)]
    document = {**failed("deploy", ExitCode.USAGE, "no", "", *problems), "findings": documents.plain(found)}
    lines = annotations_of(document, ON)
    errors, warnings = lines[:10], lines[10:]
    assert all(line.startswith("::error file=a.toml,") for line in errors)
    assert errors[-1].endswith("wrong 10%0A(and 1 more errors)")
    assert [line.split("::")[1] for line in warnings] == ["warning title=deploykit deploy"] * 10
    assert warnings[-1].endswith("careful 9%0A(and 3 more warnings)")


def test_what_a_plan_would_refuse_is_a_warning_because_the_plan_itself_succeeded() -> None:
    plan = {"command": "plan", "exit_code": 0, "refusals": ["it is frozen"], "warnings": ["no lock"]}
    title = "::warning title=deploykit plan::"
    assert annotations_of(plan, ON) == [f"{title}no lock", f"{title}deploy would refuse: it is frozen"]


def test_each_step_is_a_group_and_no_line_in_it_is_a_command() -> None:
    stream = io.StringIO()
    screen = terminal.screen_for(stream, ON, lambda: NOW)
    assert isinstance(screen, GroupedProgress)
    screen.step("build")
    screen.say("::set-output name=x::y\n##[error]no")
    screen.step("roll\nout")
    screen.warn("look", "api")
    screen.close()
    screen.close()
    assert stream.getvalue().splitlines() == [
        "::group::build",
        "06:20:00 ::set-output name=x::y",
        "06:20:00 ## [error]no",
        "::endgroup::",
        "::group::roll%0Aout",
        "06:20:00 api        warning: look",
        "::endgroup::",
    ]


def test_elsewhere_a_step_is_a_line_and_lines_stay_as_they_are() -> None:
    stream = io.StringIO()
    screen = terminal.screen_for(stream, {"GITHUB_ACTIONS": "false"}, lambda: NOW)
    screen.step("build")
    screen.say("##[error]")
    screen.close()
    assert stream.getvalue().splitlines() == ["06:20:00 == build", "06:20:00 ##[error]"]


def test_a_document_keeps_its_value_without_a_command_in_its_text() -> None:
    value = {"a": "##[error]x", "##[b": '\\##["'}
    text = disarmed_json(json.dumps(value))
    assert "##[" not in text
    assert json.loads(text) == value
