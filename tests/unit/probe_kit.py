"""What tests of probes and verdicts share: endpoints as the file has them, readings, a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from deploykit.config.checks import Checks, Endpoint
from deploykit.edges.clock import Clock
from deploykit.judge.judge import Judge, Judgement
from deploykit.judge.prove import AskRound, Proof
from deploykit.model.probe import Failure, Reading
from deploykit.model.progress import Progress


def endpoint(name: str = "api", **keys: Any) -> Endpoint:
    return Endpoint.model_validate({"id": name, "path": f"/{name}", **keys})


def checks(*endpoints: Endpoint, **keys: Any) -> Checks:
    return Checks.model_validate({"endpoints": endpoints or (endpoint(),), **keys})


def good(name: str = "api", version: str | None = None, cached: bool = False) -> Reading:
    return Reading(name, (), 200, 0.01, version, cached)


def bad(name: str = "api", kind: str = "500", expectation: str = "status") -> Reading:
    return Reading(name, (Failure(expectation, kind, f"{expectation} is {kind}"),), 500, 0.01)


def blind(name: str = "api") -> Reading:
    return Reading(name, (Failure("connect", "dns", "the host's name could not be resolved"),), prober=True)


class FakeClock:
    """A clock that advances only when somebody sleeps, and records how long they slept."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def step(self, name: str) -> None:
        self.lines.append(("step", name))

    def say(self, text: str, subject: str = "") -> None:
        self.lines.append((subject, text))

    def live(self, subject: str, text: str) -> None:
        self.lines.append((subject, text))

    def warn(self, text: str, subject: str = "") -> None:
        self.lines.append((subject, text))

    def command(self, argv: Sequence[str]) -> None:
        self.lines.append(("command", " ".join(argv)))


def prove(
    ask: AskRound,
    judge: Judge,
    checks: Checks,
    clock: Clock,
    progress: Progress,
    on_stale: Callable[[Mapping[str, Sequence[Reading]]], bool] | None = None,
) -> Judgement:
    """A proof to its end; ``on_stale`` says whether it emptied the caches before the endpoints it gets."""
    proof = Proof(ask, judge, checks, clock, progress)
    while stale := proof.until_stale():
        if on_stale is not None and on_stale(stale):
            proof.emptied()
    return proof.judgement
