"""The files that GitHub reads after a step, the summary and the outputs, and the limits that it sets for them."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from deploykit.__main__ import main
from deploykit.model.finding import Finding
from deploykit.report import github
from deploykit.report import json as documents
from deploykit.report.github_summary import Block, fitting
from tests.unit.github_kit import GOOD, ON, SITE, document_of, failed, outputs
from tests.unit.test_report_json import REPORT, SHA


def test_a_second_command_appends_to_the_summary_and_to_the_outputs(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "s"), "GITHUB_OUTPUT": str(tmp_path / "o")}
    (tmp_path / "s").write_text("of another tool")
    (tmp_path / "o").write_text("open=line")
    stream = io.StringIO()
    for _ in range(2):
        github.tell(document_of(GOOD), environ, stream, SITE)
    assert stream.getvalue() == ""
    summary = (tmp_path / "s").read_text()
    assert summary.startswith("of another tool\n")
    assert summary.count("### ✅") == 2
    assert outputs((tmp_path / "o").read_text()) == {
        "open": "line",
        "outcome": "deployed",
        "sha": SHA,
        "previous": "0" * 40,
        "url": SITE,
        "release": "20261121T062000Z-1a2b3c4",
    }


def test_no_value_can_set_an_output_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "o"
    hostile = document_of(GOOD)
    hostile["release"]["sha"] = "x\nEOF\nadmin=yes\nsha<<EOF\nz"
    for _ in range(2):
        github.tell(hostile, {"GITHUB_OUTPUT": str(path)}, io.StringIO(), None)
    found = outputs(path.read_text())
    assert "admin" not in found
    assert found["sha"] == "x\nEOF\nadmin=yes\nsha<<EOF\nz"
    ends = re.findall(r"<<([0-9a-f]{32})$", path.read_text(), re.MULTILINE)
    assert len(set(ends)) == 10


@pytest.mark.parametrize(
    ("site", "url"),
    [
        (SITE, SITE),
        ("https://ann:secret@shop.example/x", "https://shop.example/x"),
        ("https://108581769167.example", ""),
        ("https://108581769167.dkr.ecr.us-east-1.amazonaws.com", ""),
        (None, ""),
    ],
)
def test_an_output_holds_nothing_that_is_secret_or_that_a_workflow_masks(site: str | None, url: str) -> None:
    assert github.outputs_of(document_of(GOOD), site)["url"] == url
    assert github.outputs_of(failed("check", 2), None) == dict.fromkeys(
        ("outcome", "sha", "previous", "url", "release"), ""
    )


def test_a_file_that_cannot_be_written_is_one_warning_each(tmp_path: Path) -> None:
    stream = io.StringIO()
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "no" / "o")}
    github.tell(document_of(GOOD), environ, stream, SITE)
    warnings = stream.getvalue().splitlines()
    assert [line.split(":")[0:2] for line in warnings] == [
        ["warning", " GITHUB_STEP_SUMMARY could not be written"],
        ["warning", " GITHUB_OUTPUT could not be written"],
    ]


def test_the_exit_code_of_a_command_stays_where_a_summary_cannot_be_written(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path), "GITHUB_ACTIONS": "true"}
    argv = ["status", "--json", "--config", str(tmp_path / "none.toml")]
    assert main(argv, environ=environ, stdout=out, stderr=err) == 2
    assert json.loads(out.getvalue())["exit_code"] == 2
    assert err.getvalue().count("warning: GITHUB_STEP_SUMMARY could not be written") == 1


def big(lines: int) -> dict[str, Any]:
    crash = Finding("x", "error", "high", "api", "down", tuple(f"line {n} of the log ```` é" for n in range(lines)))
    return document_of(replace(REPORT, findings=(crash,)))


def test_what_does_not_fit_is_cut_at_a_line_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "s"
    environ = {"GITHUB_STEP_SUMMARY": str(path)}
    github.tell(big(60_000), environ, io.StringIO(), SITE)
    assert path.stat().st_size <= github.MOST_BYTES - 60 * 1024
    *_, last = path.read_text().strip().splitlines()
    left = re.fullmatch(r"\*(\d+) more lines \(([\d.]+) KiB\) are left out: .* 1 MiB for a step\.\*", last)
    assert left
    shown = path.read_text().count("of the log")
    assert shown + int(left[1]) == 60_000 + 2  # the end of the code and the empty line after it
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text())
    assert [token.type for token in tokens if token.type == "fence"] == ["fence"]
    assert tokens[-1].type == "paragraph_close"  # the note stands outside the code


def test_the_verdicts_of_later_commands_fit_in_a_file_that_is_full_of_details(tmp_path: Path) -> None:
    path = tmp_path / "s"
    environ = {"GITHUB_STEP_SUMMARY": str(path)}
    for _ in range(30):
        github.tell(big(60_000), environ, io.StringIO(), SITE)
    assert path.read_text().count("### ❌") == 30
    assert path.stat().st_size <= github.MOST_BYTES


def test_a_file_that_others_have_filled_gets_a_warning_and_stays_as_it_is(tmp_path: Path) -> None:
    path, stream = tmp_path / "s", io.StringIO()
    path.write_bytes(b"x" * github.MOST_BYTES)
    github.tell(document_of(GOOD), {"GITHUB_STEP_SUMMARY": str(path)}, stream, SITE)
    assert path.stat().st_size == github.MOST_BYTES
    assert "has 1048576 bytes already" in stream.getvalue()


@pytest.mark.parametrize("room", [0, 10, 50, 210, 250, 260, 300, 400, 10_000])
def test_a_summary_never_takes_more_than_its_room(room: int) -> None:
    blocks = [Block(["### ✅ done", ""]), Block([f"row {n} é" for n in range(9)]), Block(["```", "x", "```"], "```")]
    text = fitting(blocks, room, 0)
    assert len(text.encode()) <= room
    assert ("done" in text) is (room >= 50)


def test_a_command_line_that_cannot_be_parsed_is_told_too(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    environ = {**ON, "GITHUB_STEP_SUMMARY": str(tmp_path / "s"), "GITHUB_OUTPUT": str(tmp_path / "o")}
    assert main(["deploy", "--no-such-thing"], environ=environ, stdout=out, stderr=err) == 2
    assert out.getvalue() == ""
    assert "::error title=deploykit deploy::No such option" in err.getvalue()
    assert (tmp_path / "s").read_text().strip().startswith("### ❌ deploy: not begun")
    assert outputs((tmp_path / "o").read_text())["outcome"] == "failed"


def test_what_only_prints_leaves_no_summary_unless_it_fails(tmp_path: Path) -> None:
    environ = {"GITHUB_STEP_SUMMARY": str(tmp_path / "s")}
    github.tell({**documents.envelope("history", "dev", 0, 1.0, {}), "releases": []}, environ, io.StringIO())
    assert not (tmp_path / "s").exists()
    github.tell(failed("history", 3, "no network"), environ, io.StringIO())
    assert "no network" in (tmp_path / "s").read_text()
