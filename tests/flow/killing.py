"""A command that is killed at any of its calls, as often as a test wants, from one and the same beginning.

Each try forks a universe: the simulator with all that has happened so far, served anew. In it the command runs in a
process of its own, which gets SIGKILL at the call in question; then the same command is run again.
"""

from __future__ import annotations

import gc
import io
import json
import os
import signal
import traceback
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploykit.__main__ import main
from tests.flow.world import Done, Json, World
from tests.simulator.errors import ConnectionCut
from tests.simulator.faults import Fault, Faults

READING = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List")
ENOUGH = 75.0  # virtual seconds after which a lease that nobody renews is anybody's


@dataclass
class Killer(Faults):
    """Counts the changing calls; kills process ``pid`` ``before`` or after the one with number ``at``."""

    at: int = -1
    before_it: bool = True
    pid: int = 0
    seen: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    now: Callable[[], float] = lambda: 0.0

    def before(self, service: str, operation: str, path: str = "") -> Fault | None:
        if operation.startswith(READING) or not self.pid:
            return super().before(service, operation, path)
        said = f"{operation} {path.rpartition('/')[2]}" if service == "s3" else operation
        if said == "PutObject lease.json" and said in self.seen:  # a heartbeat: to be killed there is to be killed next
            return super().before(service, operation, path)
        self.seen.append(said)
        self.times.append(self.now())
        if len(self.seen) - 1 == self.at:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = 0
            if self.before_it:
                raise ConnectionCut
            return Fault(operation, "", "", 0, None, cut=True, executed=True)
        return super().before(service, operation, path)


class RemoteClock:
    """The simulator's clock for the one process that moves it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._told: Json = {}
        self.sleep(0.0)

    def now(self) -> datetime:
        return datetime.fromisoformat(str(self._told["time"]))

    def monotonic(self) -> float:
        return float(self._told["now"])

    def sleep(self, seconds: float) -> None:
        asked = json.dumps({"seconds": max(0.0, seconds)}).encode()
        with urllib.request.urlopen(f"{self._url}/_sim/advance", asked, timeout=60) as answer:
            self._told = json.load(answer)


@dataclass(frozen=True)
class Try:
    """What a universe came to: the calls that were counted, and how the second run of the command ended.

    ``times``: when each call came, in virtual seconds. ``lies``: what `status` said in between and was not so.
    """

    calls: list[str]
    times: list[float]
    end: Json
    lies: str
    code: int
    people: str


@dataclass(frozen=True)
class Asked:
    """A command and the questions about it: how the world looks at its end, and whether `status` tells the truth."""

    argv: tuple[str, ...]
    end: Callable[[World], Json]
    lies: Callable[[World], str]
    wait: float = ENOUGH  # virtual seconds until the command is run again


def undisturbed(world: World, asked: Asked) -> Try:
    """The command without a kill."""
    return in_universe(world, lambda there: _undisturbed(there, asked))


def killed(world: World, asked: Asked, at: int, before_it: bool) -> Try:
    """The command, killed at changing call ``at`` (before or after AWS carried it out), and then run again."""
    return in_universe(world, lambda there: _killed(there, asked, at, before_it))


def _undisturbed(world: World, asked: Asked) -> Try:
    killer = _armed(world)
    killer.pid = -1
    done = world.command(*asked.argv)
    return Try(killer.seen, killer.times, asked.end(world), asked.lies(world), done.code, done.people)


def _killed(world: World, asked: Asked, at: int, before_it: bool) -> Try:
    killer = _armed(world)
    killer.at, killer.before_it = at, before_it
    gate_in, gate_out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(gate_in, 1)  # the killer must know whom to kill
        quiet = io.StringIO()
        main(asked.argv, clock=RemoteClock(world.sim.url), environ=world.environ, stdout=quiet, stderr=quiet)
        os._exit(99)
    killer.pid = pid
    os.write(gate_out, b"x")
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert ended == -signal.SIGKILL, f"it ended by itself with {ended}: {killer.seen}"
    lies = asked.lies(world) if not before_it else ""
    world.sim.clock.advance(asked.wait)
    done: Done = world.command(*asked.argv)
    return Try(killer.seen, killer.times, asked.end(world), lies, done.code, done.people)


def _armed(world: World) -> Killer:
    clock = world.sim.clock
    killer = Killer(world.sim.account, now=lambda: clock.now)
    world.sim.faults = killer
    return killer


def in_universe(world: World, act: Callable[[World], Try]) -> Try:
    """``act`` in a copy of everything: nothing of it is left behind. The simulator must not be serving meanwhile."""
    read, write = os.pipe()
    gc.freeze()  # or the copy's first collection would touch, and so copy, every page
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(read)
            found: Any = act(_served(world)).__dict__
            code = 0
        except BaseException:  # noqa: BLE001 (told to the process that waits for it)
            found = {"failed": traceback.format_exc()}
        with os.fdopen(write, "w") as out:
            json.dump(found, out)
        os._exit(code)
    gc.unfreeze()
    os.close(write)
    with os.fdopen(read) as told:
        answer = json.load(told)
    os.waitpid(pid, 0)
    assert "failed" not in answer, answer["failed"]
    return Try(**answer)


def _served(world: World) -> World:
    """The world, with its simulator serving at a new address."""
    old = world.environ["AWS_ENDPOINT_URL"]
    world.sim.start()
    world.environ |= {"AWS_ENDPOINT_URL": world.sim.url, "DEPLOYKIT_URL": world.sim.url}
    os.environ["AWS_ENDPOINT_URL"] = world.sim.url
    assert old != world.sim.url
    return world
