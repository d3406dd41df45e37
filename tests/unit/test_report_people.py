"""What people read: progress lines, the closing lines, status, history and check."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from deploykit.model.finding import Finding
from deploykit.model.hint import shown
from deploykit.model.release import Outcome, ReleaseSummary, Verdict
from deploykit.model.report import RunReport, WayBack
from deploykit.report import summary, views
from deploykit.report.plain import PlainProgress
from deploykit.report.stream import PeopleStream
from deploykit.report.style import Style
from deploykit.report.terminal import LiveProgress, screen_for
from tests.unit.test_report_json import REPORT, SHA

NOW = datetime(2026, 11, 21, 6, 20, tzinfo=UTC)
PLAIN = Style(False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def plain() -> tuple[PlainProgress, io.StringIO]:
    stream = io.StringIO()
    return PlainProgress(PeopleStream(stream), lambda: NOW, PLAIN), stream


def test_plain_lines_carry_the_time_and_the_subject() -> None:
    progress, stream = plain()
    progress.step("build")
    progress.command(["docker", "build", "-t", "a b", "."])
    progress.say("built", "backend")
    progress.warn("look here")
    assert stream.getvalue().splitlines() == [
        "06:20:00 == build",
        "06:20:00 + docker build -t 'a b' .",
        "06:20:00 backend    built",
        "06:20:00 warning: look here",
    ]


def test_a_live_state_is_a_plain_line_only_when_it_changes() -> None:
    progress, stream = plain()
    for text in ("1 of 2 tasks run", "1 of 2 tasks run", "2 of 2 tasks run", ""):
        progress.live("backend", text)
    assert [line.split(None, 2)[2] for line in stream.getvalue().splitlines()] == [
        "1 of 2 tasks run",
        "2 of 2 tasks run",
    ]


@pytest.mark.parametrize(
    ("environ", "live"), [({}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, True)]
)
def test_live_lines_are_for_terminals_that_are_no_ci(environ: dict[str, str], live: bool) -> None:
    assert isinstance(screen_for(Terminal(), environ, lambda: NOW), LiveProgress) is live
    assert isinstance(screen_for(io.StringIO(), environ, lambda: NOW), PlainProgress)


def test_lasting_lines_stay_when_live_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    screen = screen_for(stream, {}, lambda: NOW)
    screen.live("backend", "state [bold]" + "x" * 100)
    screen.say("started a task", "backend")
    screen.live("backend", "")
    screen.close()
    assert re.search(r"backend +\x1b\[0mstarted a task", stream.getvalue())
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l")  # the cursor is back
    assert "[bold]" in stream.getvalue()


def test_many_threads_may_speak_at_once() -> None:
    stream = Terminal()
    screen = screen_for(stream, {}, lambda: NOW)

    def speak(name: str) -> None:
        for number in range(50):
            screen.live(name, f"state {number}")
            screen.say(f"event {number};", name)

    threads = [threading.Thread(target=speak, args=(f"service-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    screen.close()
    assert stream.getvalue().count("event 49;") == 4


def test_no_color_leaves_no_colour_on_a_terminal() -> None:
    for environ, painted in (({}, True), ({"NO_COLOR": "1"}, False)):
        stream = Terminal()
        screen = screen_for(stream, environ, lambda: NOW)
        screen.warn("careful")
        assert ("\x1b[33m" in stream.getvalue()) is painted


ON_A_TERMINAL = """
import os, sys
from datetime import UTC, datetime
from deploykit.report.terminal import screen_for
screen = screen_for(sys.stdout, {}, lambda: datetime.now(UTC))
sys.exit(0 if screen.ask("go back?", sys.stdin.readline) else 7)
"""


@pytest.mark.parametrize(("typed", "code"), [(b"yes\n", 0), (b"Y\n", 0), (b"\n", 7), (b"no\n", 7)])
def test_a_question_on_a_terminal_takes_yes_for_yes_and_anything_else_for_no(typed: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, typed)
        done = subprocess.run(
            [sys.executable, "-c", ON_A_TERMINAL], stdin=theirs, stdout=theirs, timeout=60, check=False
        )
        assert done.returncode == code
        assert b"go back?" in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(theirs)


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_listener_that_leaves_does_not_stop_the_run() -> None:
    progress = PlainProgress(PeopleStream(Gone()), lambda: NOW, PLAIN)
    progress.say("one")
    progress.say("two")
    stream = PeopleStream(Gone())
    stream.line("x")
    assert stream.gone


def test_what_a_terminal_cannot_write_is_written_as_it_can_and_the_lines_go_on() -> None:
    raw = io.BytesIO()
    stream = PeopleStream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.line("shop · dev")
    stream.line("→ next")
    assert raw.getvalue() == b"shop ? dev\n? next\n"
    assert not stream.gone


def closing(report: RunReport) -> str:
    return "\n".join(shown(line, ("--env", "dev")) for line in summary.of_run(report, "deploy", PLAIN, 63.0))


def test_the_closing_lines_say_what_runs_what_failed_why_and_what_to_type() -> None:
    text = closing(REPORT)
    assert "api  1a2b3c4  api:8  changed" in text
    assert "0 of 2 endpoints" in text
    assert "pre-existing  4 of 12 requests failed" in text
    assert "error api: api exits with 1" in text
    assert "  | boom" in text
    assert text.splitlines()[-2:] == ["deploy: put back (1 min 3 s)", "  → read the log"]


@pytest.mark.parametrize(
    ("outcome", "code", "said"),
    [
        (Outcome.DEPLOYED, 0, "deploy: deployed, healthy"),
        (Outcome.UNCHANGED, 0, "nothing to do"),
        (Outcome.ROLLED_BACK, 10, "as healthy as before"),
        (Outcome.FAILED, 11, "→ `deploykit rollback --env dev` goes back"),
        (Outcome.INCONCLUSIVE, 12, "`deploykit check --env dev` looks again; `deploykit rollback --env dev` goes back"),
    ],
)
def test_every_outcome_has_words_of_its_own(outcome: Outcome, code: int, said: str) -> None:
    assert said in closing(RunReport(outcome, code, ReleaseSummary("id", SHA, None, Verdict.HEALTHY)))


def test_an_interrupted_run_ends_in_one_line_with_what_is_left_and_what_continues() -> None:
    report = replace(REPORT, outcome=Outcome.INTERRUPTED, exit_code=130, message="left: x", hint="`y` continues")
    assert closing(report).splitlines()[-1] == "deploy: left: x (1 min 3 s); `y` continues"


def test_colour_is_the_only_difference_between_terminal_and_file() -> None:
    painted = "\n".join(summary.of_run(REPORT, "deploy", Style(True), 63.0))
    assert painted != closing(REPORT)
    assert re.sub(r"\x1b\[[\d;]*m", "", painted) == closing(REPORT)


def test_status_names_services_drift_lock_and_the_way_back() -> None:
    service = {"sha": SHA, "desired": 2, "running": 1, "rollout": "IN_PROGRESS", "since": "2026-11-21T05:50:00Z"}
    document: dict[str, Any] = {
        "release": {"id": "20261121T055000Z-1a2b3c4", "sha": SHA, "verdict": "healthy"},
        "services": {"api": {**service, "by": "ann"}},
        "drift": [{"service": "api", "path": "cpu", "released": 256, "running": 512}],
        "lease": {
            "holder": "bob",
            "host": "laptop",
            "command": "deploy",
            "sha": SHA,
            "since": "2026-11-21T06:10:00Z",
            "expires": "2026-11-21T06:21:00Z",
            "run_url": None,
            "alive": True,
            "silent": 3.0,
        },
        "hold": None,
        "way_back": {"ready": False, "release": None, "problems": ["no verified release"]},
    }
    lines = views.of_status(document, PLAIN, NOW)
    assert lines[0] == "release  1a2b3c4  20261121T055000Z-1a2b3c4  healthy"
    assert lines[1] == "  api  1a2b3c4  1/2 tasks  in progress  since 30 min ago  by ann"
    assert "cpu is 512, released was 256" in lines[2]
    assert "locked by bob" in lines[3]
    assert lines[4:] == ["way back: not ready, because no verified release"]


def test_each_reason_why_the_way_back_is_not_ready_has_a_line_of_its_own() -> None:
    gone = Finding("role-missing", "error", "high", "api", "role x does not exist", hint="create it")
    reasons = (gone, Finding("task-definition-missing", "error", "high", "web", "web: its revision was deleted"))
    told = ["way back: not ready (release id), because", "  role x does not exist: create it"]
    told += ["  web: its revision was deleted"]
    text = closing(replace(REPORT, way_back=WayBack(False, "id", reasons))).splitlines()
    begin = text.index(f"  {told[0]}")
    assert text[begin : begin + 3] == [f"  {line}" for line in told]


def test_history_is_one_line_a_release_and_its_reason() -> None:
    entry = {"id": "x", "kind": "rollback", "sha": SHA, "verdict": None, "outcome": "rolled_back", "seconds": 61.0}
    entry |= {"started": "2026-11-21T06:20:00Z", "by": "ann", "reason": "too slow"}
    assert views.of_history({"releases": [entry]}, PLAIN) == [
        "2026-11-21 06:20:00  1a2b3c4  rollback  rolled_back   1 min 1 s  ann",
        "    too slow",
    ]
    assert views.of_history({"releases": []}, PLAIN) == ["no release yet"]


@pytest.mark.parametrize(
    ("healthy", "said"), [(True, "healthy"), (False, "not healthy"), (None, "could not be judged")]
)
def test_check_has_a_line_for_each_endpoint_and_a_verdict(healthy: bool | None, said: str) -> None:
    endpoint = {"id": "home", "ok": healthy, "severity": "error", "status": 200, "latency_ms": 12.3, "version": SHA}
    lines = views.of_check({"healthy": healthy, "endpoints": [{**endpoint, "failures": ["slow"]}]}, PLAIN)
    assert lines[0].split()[1:] == ["home", "200", "12", "ms", "1a2b3c4"]
    assert lines[1:] == ["    slow", f"check: {said}"]
