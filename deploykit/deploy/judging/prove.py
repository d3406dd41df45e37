"""Prove a release: rounds of samples after it, until a verdict or the deadline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deploykit.config.checks import Checks, Endpoint
from deploykit.deploy.judging.judge import Judge, Judgement
from deploykit.edges.clock import Clock, Deadline
from deploykit.model.probe import Reading
from deploykit.model.progress import Progress
from deploykit.model.release import Verdict

AskRound = Callable[[Sequence[Endpoint]], Sequence[Reading]]
OnStale = Callable[[Mapping[str, Sequence[Reading]]], bool]


def prove(
    ask_round: AskRound,
    judge: Judge,
    checks: Checks,
    clock: Clock,
    progress: Progress,
    on_stale: OnStale | None = None,
) -> Judgement:
    """Rounds, ``checks.interval`` seconds from start to start, until ``judge`` has decided or at ``checks.deadline``.

    ``on_stale`` gets the endpoints that keep an old version, with the readings that showed it, once for each endpoint.
    It returns True where it emptied the caches before them and waited for that: their versions are then tested anew,
    and the time it took does not count against the deadline.
    """
    deadline = Deadline(clock, checks.deadline)
    tried: set[str] = set()
    said: dict[str, str] = {}
    while True:
        began = clock.monotonic()
        if checks.endpoints:
            judge.take(ask_round(checks.endpoints))
        judgement = judge.judgement()
        _tell(progress, judge, said)
        stale = [name for name in judgement.stale if name not in tried]
        if stale and on_stale is not None and judgement.verdict is not Verdict.UNHEALTHY:
            tried.update(stale)
            left = deadline.left
            if on_stale(judge.other_versions(stale)):
                judge.forget_versions(stale)
                judgement = judge.judgement()
                deadline = Deadline(clock, left)
        if judgement.decided:
            return judgement
        pause = max(0.0, began + checks.interval - clock.monotonic())
        if pause >= deadline.left:
            return judge.expired()
        clock.sleep(pause)


def at_edge(readings: Sequence[Reading], origin_readings: Sequence[Reading], expected: str | None) -> bool:
    """True where an old version is kept by the edge alone, so that emptying its caches helps.

    ``readings`` are those that showed another version than ``expected``; ``origin_readings`` the same endpoint's
    without the CDN. The origin's word counts where it gave one; else Age and X-Cache of the edge's answers.
    """
    answered = [reading for reading in origin_readings if reading.ok]
    if answered:
        return all(reading.version == expected for reading in answered)
    return any(reading.cached for reading in readings)


def _tell(progress: Progress, judge: Judge, said: dict[str, str]) -> None:
    for name, state in judge.states().items():
        if said.get(name) != state:
            said[name] = state
            progress.live(name, state)
    progress.live("checks", judge.progress())
