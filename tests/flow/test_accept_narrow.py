"""On a terminal as wide as a phone: nothing is broken inside a word, nothing is left out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Sequence

import pytest

from deploykit.__main__ import main
from deploykit.report.width import columns
from tests.flow.world import World, crashing

WIDTH = 45
CODE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")


class Phone:
    """A terminal of 45 columns, and what was written to it."""

    def __init__(self) -> None:
        self._reading, writing = pty.openpty()
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 30, WIDTH, 0, 0))
        self.stream = os.fdopen(writing, "w", buffering=1, encoding="utf-8")
        self._bytes = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._reading, 65536)
            except OSError:  # the other side is closed
                return
            self._bytes += part

    def text(self) -> str:
        """Everything that was written; closes the terminal."""
        self.stream.close()
        self._reader.join(timeout=30)
        os.close(self._reading)
        return self._bytes.decode("utf-8").replace("\r\n", "\n")


def seen(world: World, monkeypatch: pytest.MonkeyPatch, *argv: str) -> tuple[int, list[str]]:
    """The exit code, and the lines that stay on the terminal below the live part."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))  # for what draws the live part; it asks the process's own terminal
    phone = Phone()
    environ = {**world.environ, "TERM": "xterm-256color"}
    code = main(argv, clock=world.sim.clock.wall(), environ=environ, stdout=phone.stream, stderr=phone.stream)
    text = phone.text().rpartition("\x1b[?25h")[2]  # where the cursor came back for the last time
    return code, [CODE.sub("", line.rpartition("\r")[2]) for line in text.splitlines()]


def fits(lines: Sequence[str], *facts: str) -> None:
    """No line is wider than the terminal, and each fact is there, whole."""
    assert [line for line in lines if columns(line) > WIDTH] == []
    text = " ".join(" ".join(lines).split())
    assert [fact for fact in facts if fact not in text] == []


@pytest.fixture
def used(world: World) -> World:
    """Two releases, and a rollback of the first service with a long reason."""
    for message in ("first", "second"):
        world.commit(message)
        assert world.run("deploy").code == 0
        world.sim.clock.advance(90000)
    reason = "prices in the basket are wrong since the release of this morning"
    assert world.run("rollback", "api", "--reason", reason).code == 0
    return world


def test_status_fits(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    document = used.run("status").document
    code, lines = seen(used, monkeypatch, "status")
    services = document["services"]
    assert code == 0
    facts = [f"{key} {services[key]['sha'][:7]} 2/2 tasks completed since" for key in ("api", "web")]
    fits(
        lines, *facts, "account 108581769167", "us-east-1", "release none as a whole: each service runs its own",
        f"way back: ready (release {document['way_back']['release']})",
    )  # fmt: skip


def test_status_with_drift_and_no_way_back_fits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    served = world.services["web"]
    body = world.sim.state.services[served.cluster, served.name].definition.body
    [container] = body["containerDefinitions"]
    other = f"{container['image'].partition('@')[0]}@{served.digest}"
    made = world.sim.ecs.register_task_definition({**body, "containerDefinitions": [{**container, "image": other}]})
    arn = made["taskDefinition"]["taskDefinitionArn"]
    world.sim.ecs.update_service({"cluster": "dev", "service": served.name, "taskDefinition": arn})
    code, lines = seen(world, monkeypatch, "status")
    assert code == 0
    fits(
        lines, "2/2 tasks in progress since just now",
        "drift web: task_definition is dev-web:3, released was dev-web:2",
        f"container web.image is web@{served.digest[7:19]}, released was web@", "way back: ",
    )  # fmt: skip


def test_history_and_the_measures_fit(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    releases = used.run("history").document["releases"]
    _, lines = seen(used, monkeypatch, "history")
    rows = [f"{r['started'][:10]} {r['started'][11:19]} {r['sha'][:7]} {r['kind']} {r['verdict']}" for r in releases]
    fits(lines, *rows, releases[0]["reason"])
    _, lines = seen(used, monkeypatch, "history", "--stats")
    fits(
        lines, "deployments: 2 (1 healthy, 1 withdrawn)", "deployment frequency one in 25 h", "change lead time",
        "change fail rate 50 %: only 2, which says little", "1 of 2 undone, not healthy, or withdrawn later",
        "failed deployment recovery time",
    )  # fmt: skip


def test_check_and_plan_fit(used: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = used.commit("third")
    running = used.run("status").document["services"]
    _, lines = seen(used, monkeypatch, "check")
    fits(lines, *[f"ok {key} 200" for key in ("api", "home")], running["web"]["sha"][:7], "check: healthy")
    code, lines = seen(used, monkeypatch, "plan")
    assert code == 0
    change = f"container web.environment.GIT_SHA: {running['web']['sha'][:12]} → {sha[:12]}"
    fits(lines, f"plan for {sha[:7]}", change, "invalidate /* on E1SHOP", "`deploykit deploy` does this")


def test_the_end_of_a_release_that_failed_fits_with_its_exit_code_and_last_words(
    used: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Error: connect ECONNREFUSED 10.0.3.17:5432 while reading the list of tables"
    used.commit("crash", crashing(137, 3.0, words))
    code, lines = seen(used, monkeypatch, "deploy")
    assert code == 10
    fits(lines, "exit code 137", words, "what runs is as healthy as before", "checks: 2 of 2 endpoints")


def test_an_error_and_what_to_type_next_fit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text().replace('account = "108581769167"', "account = 108581769167"))
    code, lines = seen(world, monkeypatch, "status")
    assert code == 2
    fits(lines, 'deploykit.toml:7: environments.dev.account = 108581769167: must be text: write "108581769167"')
