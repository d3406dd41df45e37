"""The whole demo, as a newcomer runs it: real images, a real registry, real containers, real HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploykit.sandbox import places

pytestmark = pytest.mark.sandbox

DEPLOYKIT = (sys.executable, "-m", "deploykit")
ENDS: dict[str, tuple[int, str]] = {
    "the first release": (0, "deployed"),
    "the second one": (0, "deployed"),
    "a crash": (10, "rolled_back"),
    "a wrong answer": (10, "rolled_back"),
    "a stale edge": (0, "deployed"),
    "rollback by hand": (0, "rolled_back"),
    "nothing to do": (0, "unchanged"),
}


@dataclass(frozen=True)
class Machine:
    """What a demo may leave something on: its folders, and the Docker Engine."""

    temporary: Path
    state: Path

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.temporary), "XDG_STATE_HOME": str(self.state)}

    def left(self) -> list[str]:
        """What is still there of any demo that ran here: files, containers, processes."""
        files = [str(path) for folder in (self.temporary, self.state) for path in folder.rglob("*") if path.is_file()]
        return files + _processes(str(self.temporary)) + _processes(str(self.state))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("tmp"), tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def told(machine: Machine) -> dict[str, Any]:
    """The document of one whole run, with what people ``heard`` of it."""
    done = subprocess.run((*DEPLOYKIT, "demo", "--json"), env=machine.environ, capture_output=True, text=True)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == document["exit_code"]
    return {**document, "heard": done.stderr}


def chapter(told: dict[str, Any], name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in told["chapters"] if each["name"] == name]
    assert len(found) == 1, f"{name} was not played:\n{told['heard'][-4000:]}"
    return found[0]


@pytest.mark.parametrize("name", ENDS)
def test_the_chapter_ends_as_told(told: dict[str, Any], name: str) -> None:
    played = chapter(told, name)
    assert played["problems"] == []
    assert (played["exit_code"], played["outcome"]) == ENDS[name]


def test_the_story_has_every_chapter_in_order_and_exits_with_0(told: dict[str, Any]) -> None:
    assert [each["name"] for each in told["chapters"]] == list(ENDS)
    assert told["problems"] == []
    assert told["exit_code"] == 0


def test_a_crash_is_named_with_its_exit_code_and_last_log_line(told: dict[str, Any]) -> None:
    (finding,) = chapter(told, "a crash")["findings"]
    assert (finding["id"], finding["subject"]) == ("program-crash", "api")
    assert "container api: exit code 1" in finding["evidence"]
    assert "log: api: the setting PAYMENTS_URL is missing" in finding["evidence"]


def test_a_crash_and_a_wrong_answer_leave_the_second_release_serving(told: dict[str, Any]) -> None:
    second = chapter(told, "the second one")["served"]
    assert second != chapter(told, "the first release")["served"]
    assert chapter(told, "a crash")["served"] == second
    assert chapter(told, "a wrong answer")["served"] == second


def test_a_rollback_by_hand_goes_back_to_what_was_proven(told: dict[str, Any]) -> None:
    second = chapter(told, "the second one")["served"]
    assert chapter(told, "a stale edge")["served"] != second
    assert chapter(told, "rollback by hand")["served"] == second
    assert chapter(told, "nothing to do")["served"] == second


def test_nothing_to_do_takes_under_three_seconds(told: dict[str, Any]) -> None:
    assert chapter(told, "nothing to do")["seconds"] < 3


def test_users_ask_20_times_a_second_and_no_request_fails(told: dict[str, Any]) -> None:
    assert told["failed"] == 0
    assert all(each["failed"] == 0 for each in told["chapters"])
    assert told["rate"] >= 20
    assert told["requests"] >= 20 * sum(each["seconds"] for each in told["chapters"])


def test_the_story_is_told_in_three_minutes(told: dict[str, Any]) -> None:
    assert told["seconds"] < 180


def test_the_demo_leaves_nothing_behind(told: dict[str, Any], machine: Machine) -> None:
    assert machine.left() == []
    configuration = re.search(r"a local AWS for (\S+)", told["heard"])
    registry = re.search(r"registry +(127\.0\.0\.1:\d+)", told["heard"])
    assert configuration is not None
    assert registry is not None
    assert _docker("image", "ls", "--quiet", "--filter", f"reference={registry[1]}/harbour/*") == []
    assert _containers(places.instance(Path(configuration[1]), "dev")) == []


def test_ctrl_c_in_a_chapter_takes_everything_away(machine: Machine) -> None:
    ended = end_at(machine, "== rollout", signal.SIGINT)
    assert ended.code == 130, ended.heard[-4000:]
    assert len(ended.containers) >= 5  # two tasks of each service, and the database
    assert _containers(ended.instance) == []
    assert machine.left() == []


def test_what_a_killed_demo_left_is_taken_away_by_the_next(machine: Machine) -> None:
    killed = end_at(machine, "== rollout", signal.SIGKILL)
    assert len(_containers(killed.instance)) >= 5
    following = end_at(machine, "a local AWS for", signal.SIGINT)
    assert following.code == 130, following.heard[-4000:]
    assert _containers(killed.instance) == []
    assert machine.left() == []


@dataclass(frozen=True)
class EndedEarly:
    """A demo that got a signal: its exit code, what it said, its sandbox and the containers at that moment."""

    code: int
    heard: str
    instance: str
    containers: list[str]


def end_at(machine: Machine, words: str, number: signal.Signals) -> EndedEarly:
    """Run a demo and send it a signal when it says ``words``."""
    demo = subprocess.Popen((*DEPLOYKIT, "demo"), env=machine.environ, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)  # fmt: skip
    instance, containers = "", []
    with demo:
        assert demo.stdout is not None
        heard = []
        for line in demo.stdout:
            heard.append(line)
            if words in line:
                instance = next((path.name for path in machine.state.glob("deploykit/sandbox/*")), "")
                containers = _containers(instance)
                demo.send_signal(number)
                break
        heard += demo.stdout.readlines()
    return EndedEarly(demo.returncode, "".join(heard), instance, containers)


def _containers(instance: str) -> list[str]:
    """Ids of the containers of one sandbox."""
    return _docker("ps", "--all", "--quiet", "--filter", f"label=deploykit.sandbox={instance}")


def _docker(*arguments: str) -> list[str]:
    return subprocess.run(("docker", *arguments), check=True, capture_output=True, text=True).stdout.split()


def _processes(words: str) -> list[str]:
    """Command lines of processes that name ``words``, ours excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it ended meanwhile
            continue
        if words in line and entry.parent.name != str(os.getpid()):
            found.append(line)
    return found
