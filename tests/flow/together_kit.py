"""Several commands at once on one virtual clock: each is a thread, and one at a time has its turn.

A turn ends where the run sleeps, where one of its calls takes time, or where the run ends. Time moves between turns
alone: to the earliest moment at which a run wakes up. Of those that wake at the same moment, the one that asked first
is first. So the same seed gives the same course of events.

Each run has an access key of its own, by which AWS (CloudTrail) too would know whose a call is. The threads that a run
starts for its calls need not be counted: the run that started them waits for them, and their calls wait for its turn.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any

from deploykit.__main__ import main
from tests.flow.world import World
from tests.simulator.protocol import Request, Response, error_response, service_of
from tests.simulator.simulator import Call

KEY = "AWS_ACCESS_KEY_ID"
STUCK = 120.0  # real seconds of one turn after which the test ends
TAKING_TIME = ("UpdateService", "RegisterTaskDefinition", "/lease.json", "/hold.json", "/releases/", "/invalidation")
SECONDS = (0.0, 0.0, 0.0, 0.05, 0.4, 2.5)  # that such a call takes; in each of them others have their turn
_SIGNED_BY = re.compile(r"Credential=([^/,]+)/")


class Ended(BaseException):
    """The test is over: what is left of a killed run ends."""


@dataclass(eq=False)
class OneRun:
    """A command, and what came of it. ``code`` None: it was killed. Times are virtual seconds."""

    key: str
    argv: Sequence[str]
    sha: str = ""
    began: float = 0.0
    ended: float = 0.0
    code: int | None = None
    stops: float | None = None  # when it is to be killed or stopped
    cut: float | None = None  # when it was
    slow: int = 0  # calls so far that may have taken time
    stdout: io.StringIO = field(default_factory=io.StringIO)
    stderr: io.StringIO = field(default_factory=io.StringIO)
    thread: threading.Thread | None = None

    @property
    def people(self) -> str:
        return self.stderr.getvalue()

    @property
    def document(self) -> Any:
        return json.loads(self.stdout.getvalue())

    def __repr__(self) -> str:
        return f"<{self.key} {' '.join(self.argv)[:24]}: {self.code}, {self.began:.0f} to {self.ended:.0f} s>"


@dataclass(frozen=True)
class Made:
    """A call that AWS carried out or refused, and the run that made it."""

    run: OneRun
    call: Call


@dataclass(frozen=True)
class Cut:
    """``seconds`` after the first call of ``operation`` its run gets SIGKILL: nothing more comes of it.

    Nobody waits for it. With ``still`` it gets SIGSTOP instead, and goes on so many seconds later.
    """

    operation: str
    seconds: float = 7.0
    still: float | None = None


class Together:
    """``start`` runs, then let all of them go to their ends with ``go``. ``made``: their calls, in AWS's order.

    ``seed``: of how long calls take (None: no time). ``cut``: what happens to one of the runs.
    """

    def __init__(self, world: World, seed: int | None = None, cut: Cut | None = None) -> None:
        self.runs: list[OneRun] = []
        self.made: list[Made] = []
        self._world, self._seed, self._cut = world, seed, cut
        self._clock = world.sim.clock
        self._turns = threading.Condition()
        self._queue: list[tuple[float, int, OneRun]] = []
        self._order = count()
        self._active: OneRun | None = None
        self._over = self._struck = False

    def start(self, *argv: str, sha: str = "") -> OneRun:
        """A command that begins now; others that were started before it are first."""
        run = OneRun(f"RUN{len(self.runs):02}", argv, sha, self._clock.now)
        run.thread = threading.Thread(target=self._act, args=(run,), name=run.key, daemon=True)
        self.runs.append(run)
        heappush(self._queue, (self._clock.now, next(self._order), run))
        return run

    def go(self) -> None:
        """Until every run has ended or was killed."""
        http, kept = self._world.sim._server, os.environ[KEY]
        http.answer = self._answer
        for run in self.runs:
            assert run.thread
            run.thread.start()
        try:
            while self._queue:
                when, _, run = heappop(self._queue)
                if run.stops is not None and when >= run.stops:
                    self._stop(run)
                    continue
                self._clock.advance(max(0.0, when - self._clock.now))
                self._give_turn(run)
        finally:
            os.environ[KEY] = kept
            with self._turns:
                self._over = True
                self._turns.notify_all()
            for run in self.runs:
                assert run.thread
                run.thread.join(STUCK)
            http.answer = self._world.sim.handle
        assert not [run for run in self.runs if run.thread and run.thread.is_alive()]

    def sleep(self, run: OneRun, seconds: float) -> None:
        assert threading.current_thread() is run.thread, "a worker thread sleeps: it has to be counted from now on"
        with self._turns:
            assert self._over or self._active is run, f"{run} sleeps while a call of its own is under way"
        self._pause(run, max(0.0, seconds))
        if self._over:
            raise Ended

    def _act(self, run: OneRun) -> None:
        self._pause(run, 0.0)
        argv, clock = [*run.argv, "--json"], _ClockOf(self, self._world, run)
        environ = {**self._world.environ, **_author(run)}
        try:
            if not self._over:
                code = main(argv, clock=clock, environ=environ, stdout=run.stdout, stderr=run.stderr)
                run.code = None if self._over else code
        except Ended:
            pass
        finally:
            with self._turns:
                run.ended = self._clock.now
                if self._active is run:
                    self._active = None
                    self._turns.notify_all()

    def _give_turn(self, run: OneRun) -> None:
        os.environ[KEY] = run.key  # boto3 reads it once for each run, at its first call
        with self._turns:
            self._active = run
            self._turns.notify_all()
            assert self._turns.wait_for(lambda: self._active is None, STUCK), f"{run} is stuck:\n{run.people}"

    def _pause(self, run: OneRun, seconds: float) -> None:
        """End the run's turn, if it has one, and return with its next one."""
        with self._turns:
            if self._active is run:
                heappush(self._queue, (self._clock.now + seconds, next(self._order), run))
                self._active = None
                self._turns.notify_all()
            self._turns.wait_for(lambda: self._active is run or self._over)

    def _answer(self, request: Request) -> Response:
        """One request: in the turn of the run that made it, and perhaps one or two turns later."""
        sim = self._world.sim
        signed = _SIGNED_BY.search(request.headers.get("authorization", ""))
        run = next((run for run in self.runs if signed and run.key == signed[1]), None)
        if run is None:
            return sim.handle(request)
        before, after = self._takes(run, request)
        self._wait_for_turn(run, before)
        if self._over:  # a killed process has no more calls; its thread must end without another try
            return error_response(service_of(request) or "", request.method, "AccessDenied", "over", 403)
        with self._clock.lock:
            known = len(sim.calls)
            answer = sim.handle(request)
            self.made += [Made(run, call) for call in sim.calls[known:]]
            self._look(run)
        if after is not None:
            self._pause(run, after)
        return answer

    def _wait_for_turn(self, run: OneRun, seconds: float | None) -> None:
        with self._turns:
            self._turns.wait_for(lambda: self._active is run or self._over)
        if seconds is not None and not self._over:
            self._pause(run, seconds)

    def _takes(self, run: OneRun, request: Request) -> tuple[float | None, float | None]:
        """Seconds before and after AWS carries it out; None: at once, and in the same turn."""
        what = request.path + request.headers.get("x-amz-target", "")
        if self._seed is None or not any(name in what for name in TAKING_TIME):
            return None, None
        run.slow += 1
        chance = random.Random(f"{self._seed} {run.key} {run.slow}")
        return chance.choice(((chance.choice(SECONDS), None), (None, chance.choice(SECONDS))))

    def _look(self, run: OneRun) -> None:
        if self._cut and not self._struck and self.made[-1].call.operation == self._cut.operation:
            self._struck, run.stops = True, self._clock.now + self._cut.seconds

    def _stop(self, run: OneRun) -> None:
        assert self._cut
        assert run.stops is not None
        run.cut, run.stops = run.stops, None
        if self._cut.still is not None:
            heappush(self._queue, (run.cut + self._cut.still, next(self._order), run))


def _author(run: OneRun) -> dict[str, str]:
    """Each run is a job of its own in GitHub Actions, and says so in the lease."""
    return {"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": run.key.lower()}


@dataclass(frozen=True)
class _ClockOf:
    """The clock as one run sees it."""

    together: Together
    world: World
    run: OneRun

    def now(self) -> datetime:
        return self.world.sim.clock.moment

    def monotonic(self) -> float:
        return self.world.sim.clock.now

    def sleep(self, seconds: float) -> None:
        self.together.sleep(self.run, seconds)
