"""The demo's own judgement: a chapter that ends otherwise than told is said, a failed request is counted."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploykit.demo.chapters import CHAPTERS, Scene
from deploykit.demo.commands import Commands, Ended
from deploykit.demo.repository import Edit, Repository
from deploykit.demo.site import Served, Site
from deploykit.demo.traffic import Traffic

SECOND = "2" * 40
SERVED = Served({"api": SECOND, "frontend": SECOND}, ())
RUNNING = {"api": {"sha": SECOND}, "frontend": {"sha": SECOND}}


def scene(folder: Path) -> Scene:
    commits = {"first": "1" * 40, "second": SECOND, "news": "5" * 40}
    return Scene(Commands(folder), Repository(folder), Site("http://x", "x"), "http://x", commits)


def ended(code: int = 0, outcome: str = "deployed", **document: Any) -> Ended:
    whole = {"outcome": outcome, "services": RUNNING, "seconds": 1.0, "api_calls": {"by_operation": {}}, **document}
    return Ended("deploykit deploy", code, whole, 1.0)


def problems(number: int, tmp_path: Path, end: Ended, served: Served = SERVED) -> list[str]:
    return CHAPTERS[number - 1].unmet(scene(tmp_path), end, served)


def test_a_chapter_that_ends_as_told_has_no_problem(tmp_path: Path) -> None:
    assert problems(2, tmp_path, ended()) == []


def test_another_exit_code_and_outcome_are_said(tmp_path: Path) -> None:
    found = problems(2, tmp_path, ended(12, "inconclusive"))
    assert found == ["exit code 12, expected 0", "outcome 'inconclusive', expected 'deployed'"]


def test_an_old_version_that_is_still_served_is_said(tmp_path: Path) -> None:
    old = Served({"api": SECOND, "frontend": "1" * 40}, ("/ shows 1111111, the frontend's tasks are 2222222",))
    found = problems(2, tmp_path, ended(), old)
    assert found == [
        "/ shows 1111111, the frontend's tasks are 2222222",
        "frontend serves 1111111, deploykit says 2222222",
        "frontend serves 1111111, expected 2222222",
    ]


def test_a_crash_without_its_cause_is_said(tmp_path: Path) -> None:
    found = problems(3, tmp_path, ended(10, "rolled_back", findings=[]))
    assert found == [
        "no finding shows 'exit code 1'",
        "no finding shows 'api: the setting PAYMENTS_URL is missing'",
    ]


def test_a_crash_that_is_stopped_late_is_said(tmp_path: Path) -> None:
    evidence = ["container api: exit code 1", "log: api: the setting PAYMENTS_URL is missing"]
    finding = {"id": "program-crash", "subject": "api", "evidence": evidence}
    assert problems(3, tmp_path, ended(10, "rolled_back", findings=[finding])) == []
    late = problems(3, tmp_path, ended(10, "rolled_back", findings=[finding], seconds=90.0))
    assert late == ["stopped after 90 s, expected within 60"]


def test_an_undo_for_another_reason_than_the_wrong_answer_is_said(tmp_path: Path) -> None:
    checks = {"api-health": {"class": "ok"}}
    found = problems(4, tmp_path, ended(10, "rolled_back", checks=checks))
    assert found == ["api-health was judged 'ok', expected 'regression'"]


def test_a_write_or_a_wait_where_nothing_was_to_do_is_said(tmp_path: Path) -> None:
    calls = {"by_operation": {"ecs:UpdateService": 1, "ecs:DescribeServices": 2}}
    found = problems(7, tmp_path, ended(0, "unchanged", api_calls=calls, seconds=4.0))
    assert found == ["called UpdateService 1 times", "took 4.0 s, expected under 3"]


def test_an_edit_that_no_longer_fits_its_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "api.py").write_text("a = 1\na = 1\n")
    with pytest.raises(ValueError, match=r"api\.py holds 'a = 1' 2 times, not once"):
        Repository(tmp_path).commit("never", [Edit("api.py", "a = 1", "a = 2")])


@pytest.fixture
def half_broken() -> Iterator[str]:
    """The address of a server that answers /good and refuses everything else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_the_load_counts_what_it_sends_and_what_fails(half_broken: str) -> None:
    traffic = Traffic(half_broken)
    traffic.ask(["/good"])
    while traffic.since_last().sent < 3:
        assert traffic.alive
    traffic.ask(["/good", "/bad"])
    while traffic.since_last().failed < 2:
        assert traffic.alive
    total = traffic.end()
    assert not traffic.alive
    assert 0 < total.failed < total.sent
    assert set(traffic.words) == {"/bad: status 503"}


def test_the_load_counts_a_refused_connection_as_a_failure() -> None:
    traffic = Traffic("127.0.0.1:1")
    traffic.ask(["/good"])
    while traffic.since_last().sent < 2:
        assert traffic.alive
    total = traffic.end()
    assert total.failed == total.sent
    assert traffic.words[0].startswith("/good: ConnectionRefusedError")
