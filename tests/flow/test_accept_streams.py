"""Streams of documents, questions, and interruptions, as scripts and people at a terminal meet them."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime

import pytest

from deploykit.__main__ import main
from tests.flow.world import World


class EndsAfter:
    """A clock on which somebody presses Ctrl-C at the given sleep."""

    def __init__(self, world: World, sleeps: int) -> None:
        self._clock = world.sim.clock.wall()
        self._left = sleeps

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._left -= 1
        if self._left <= 0:
            raise KeyboardInterrupt
        self._clock.sleep(seconds)


def lines_of(world: World, *argv: str, sleeps: int) -> tuple[int, list[str]]:
    stdout = io.StringIO()
    code = main(argv, clock=EndsAfter(world, sleeps), environ=world.environ, stdout=stdout, stderr=io.StringIO())
    return code, stdout.getvalue().splitlines()


def test_a_watch_that_is_ended_prints_one_document_a_line_to_its_end(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    code, lines = lines_of(world, "check", "--watch", "--json", sleeps=2)
    assert code == 130
    documents = [json.loads(line) for line in lines]
    assert [document["exit_code"] for document in documents] == [0, 0, 130]
    assert [document["healthy"] for document in documents] == [True, True, None]


def test_each_round_of_a_watch_says_when_it_was(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    _, lines = lines_of(world, "check", "--watch", sleeps=2)
    rounds = [line.split(" check: ") for line in lines if " check: " in line]
    assert [said for _, said in rounds] == ["healthy", "healthy"]
    first, second = (datetime.strptime(at, "%H:%M:%S") for at, _ in rounds)
    assert (second - first).total_seconds() == 5
    _, documents = lines_of(world, "check", "--watch", "--json", sleeps=2)
    moments = [json.loads(line)["at"] for line in documents]
    assert moments[0] < moments[1]
    assert moments[2] is None


class Gone(io.StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("argv", [["check", "--watch"], ["check", "--watch", "--json"]])
def test_a_reader_that_leaves_ends_the_watch(world: World, argv: list[str]) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    clock = EndsAfter(world, 50)
    code = main(argv, clock=clock, environ=world.environ, stdout=Gone(), stderr=io.StringIO())
    assert code == 0


def test_a_watch_in_json_goes_on_where_only_the_reader_of_stderr_has_left(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    stdout = io.StringIO()
    argv = ["check", "--watch", "--json"]
    assert main(argv, clock=EndsAfter(world, 3), environ=world.environ, stdout=stdout, stderr=Gone()) == 130
    assert [json.loads(line)["exit_code"] for line in stdout.getvalue().splitlines()] == [0, 0, 0, 130]


@pytest.mark.parametrize("argv", [["check", "--watch"], ["logs", "nope", "--follow"], ["logs", "--follow"]])
def test_an_error_of_a_stream_is_one_line_too(world: World, argv: list[str]) -> None:
    (world.folder / "deploykit.toml").write_text("wrong = 1\n")
    code, lines = lines_of(world, "--json", *argv, sleeps=1)
    assert code == 2
    assert len(lines) == 1
    assert json.loads(lines[0])["error"]["message"]


class Keyboard(io.StringIO):
    """A terminal at which Ctrl-C is pressed instead of an answer."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_ctrl_c_at_the_question_of_a_rollback_changed_nothing_and_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in ("first", "second"):
        world.commit(message)
        assert world.run("deploy").code == 0
    monkeypatch.setattr(sys, "stdin", Keyboard())
    stderr, stdout = io.StringIO(), Terminal()
    with world.sim.recording() as calls:
        code = main(
            ["rollback"], clock=world.sim.clock.wall(), environ={**world.environ, "TERM": "dumb"}, stdout=stdout,
            stderr=stderr,
        )  # fmt: skip
    assert code == 130
    assert "UpdateService" not in [call.operation for call in calls]
    assert "go back? [y/N]" in stdout.getvalue()
    assert stderr.getvalue().splitlines()[-1].startswith("error: nothing was changed")


def test_an_interruption_before_anything_was_touched_says_that(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    stderr = io.StringIO()
    code = main(
        ["deploy", "--env", "dev"],
        clock=InterruptedAtNow(world),
        environ=world.environ,
        stdout=io.StringIO(),
        stderr=stderr,
    )
    assert code == 130
    assert stderr.getvalue().splitlines()[-1] == (
        "error: interrupted: nothing that runs was changed; `deploykit deploy --env dev` continues"
    )


class InterruptedAtNow(EndsAfter):
    """Ctrl-C at the first look at the wall clock, which is while the release is planned."""

    def __init__(self, world: World) -> None:
        super().__init__(world, 0)

    def now(self) -> datetime:
        raise KeyboardInterrupt
