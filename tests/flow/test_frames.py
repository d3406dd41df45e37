"""How far a command is from the call to AWS that it makes: few frames, and never back up."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import deploykit
from tests.flow.migrations import migrating_shop
from tests.flow.world import World

ROOT = Path(deploykit.__file__).parent
FLOORS = ("cli", "commands", "deploy", "targets judge preflight images", "ledger probes", "edges")
"""From top to bottom; a call leads down, or stays where it is."""
Stack = list[str]


def floor(path: str) -> int:
    package = path.partition("/")[0]
    return next(number for number, packages in enumerate(FLOORS) if package in packages.split())


def stack_of_main() -> Stack:
    """The frames of the command that is being answered, from the program to the one that sent the request."""
    frame: FrameType | None = sys._current_frames()[threading.main_thread().ident or 0]
    found: Stack = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            found.insert(0, path.relative_to(ROOT).as_posix())
        frame = frame.f_back
    return found


def stacks(world: World, where: Any, name: str) -> list[Stack]:
    """A release by `deploykit deploy`; how the simulator was asked each time that ``name`` of it was called."""
    answer: Callable[..., Any] = getattr(where, name)
    seen: list[Stack] = []

    def asked(*given: Any, **named: Any) -> Any:
        seen.append(stack_of_main())
        return answer(*given, **named)

    setattr(where, name, asked)
    world.commit("first")
    assert world.run("deploy").code == 0
    return [stack[stack.index("cli/deploy.py") :] for stack in seen if "cli/deploy.py" in stack]


def assert_straight_down(stack: Stack) -> None:
    floors = [floor(path) for path in stack]
    assert floors == sorted(floors), stack


def test_update_service_is_at_most_six_frames_below_the_command_line(world: World) -> None:
    found = stacks(world, world.sim.ecs, "update_service")
    assert len(found) == 2
    for stack in found:
        assert stack[:3] == ["cli/deploy.py", "commands/deploy.py", "targets/ecs/release.py"]
        assert stack[-1] == "edges/aws/session.py"
        assert len(stack) <= 6, stack
        assert_straight_down(stack)


def assert_eight_at_most(stacks_of_writes: list[Stack], writes: int) -> None:
    assert len(stacks_of_writes) >= writes
    for stack in stacks_of_writes:
        assert len(stack) <= 8, stack
        assert_straight_down(stack)


def test_the_ledger_is_written_at_most_eight_frames_below_the_command_line(world: World) -> None:
    found = [stack for stack in stacks(world, world.sim.s3, "_put") if "ledger/store.py" in stack]
    assert_eight_at_most(found, 3)  # opened, before the invalidation, closed


def test_so_is_what_a_migration_notes_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with migrating_shop(tmp_path / "shop", monkeypatch) as world:
        puts = stacks(world, world.sim.s3, "_put")
        found = [stack for stack in puts if {"targets/migration/release.py", "ledger/store.py"} <= set(stack)]
        assert_eight_at_most(found, 3)  # before RunTask, with the task's ARN, its end
