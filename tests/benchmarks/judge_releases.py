"""Releases judged in a simulated time: readings drawn from a seed go in, the real judge's verdict comes out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploykit.config.checks import Checks, Endpoint
from deploykit.judge.baseline import take_baseline
from deploykit.judge.judge import Judge
from deploykit.model.probe import Failure, Reading
from deploykit.model.release import Verdict
from tests.unit.probe_kit import FakeClock, Listener, checks, endpoint, prove

ENDPOINTS = 7
NEW, OLD = "new", "old"
HEALTHY, UNHEALTHY, INCONCLUSIVE = Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.INCONCLUSIVE
_DOWN = Failure("status", "500", "status is 500 instead of 200")
_OTHER = Failure("connect", "refused", "the connection was refused")
_SLOW = Failure("max_latency", "slow", "the answer took longer than max_latency")
_OFFLINE = Failure("connect", "dns", "the host's name could not be resolved")
CHECKS = checks(*(endpoint(f"e{number}", version={"json": "version"}) for number in range(ENDPOINTS)))


@dataclass(frozen=True)
class Nature:
    """How endpoints answer. Shares are chances from 0 to 1.

    ``noise`` strikes every sample of every endpoint. The first ``sick`` endpoints fail besides, with ``failure``, in a
    ``share`` of their samples. ``together`` is the chance of a round in which everything fails, ``offline`` that of one
    in which this machine reaches nothing. The first ``stale`` endpoints show the old version, out of a cache where
    ``cached``.
    """

    noise: float = 0.0
    sick: int = 0
    share: float = 1.0
    failure: Failure = _DOWN
    together: float = 0.0
    offline: float = 0.0
    stale: int = 0
    cached: bool = False


@dataclass(frozen=True)
class Case:
    """A kind of release: ``before`` and ``after`` it, and the verdict that is ``right``.

    ``most_wrong`` is the share of releases that may end as ``never``; None: shown, without a limit.
    """

    name: str
    before: Nature
    after: Nature
    right: Verdict
    never: Verdict
    most_wrong: float | None = 0.0
    purge_helps: bool = False
    many: bool = False  # a claim that only many releases can hold


@dataclass(frozen=True)
class Judged:
    """One release's end. ``before``: virtual seconds of the baseline; ``seconds``: from first round to verdict."""

    verdict: Verdict
    before: float
    rounds: int
    seconds: float


class Site:
    """Answers rounds by its ``nature``; a round takes half a second, or the timeout where the machine is offline."""

    def __init__(self, nature: Nature, clock: FakeClock, chance: random.Random, version: str) -> None:
        self.nature, self.clock, self.chance, self.version = nature, clock, chance, version
        self.rounds = 0

    def __call__(self, endpoints: Sequence[Endpoint]) -> list[Reading]:
        nature, chance = self.nature, self.chance
        self.rounds += 1
        self.clock.time += 0.5
        if nature.offline and chance.random() < nature.offline:
            return [self._reading(each, _OFFLINE, prober=True) for each in endpoints for _ in range(CHECKS.samples)]
        down = bool(nature.together) and chance.random() < nature.together
        return [
            self._reading(each, _DOWN if down else self._failure(number), old=number < nature.stale)
            for number, each in enumerate(endpoints)
            for _ in range(CHECKS.samples)
        ]

    def _failure(self, number: int) -> Failure | None:
        nature = self.nature
        if number < nature.sick and self.chance.random() < nature.share:
            return nature.failure
        return _DOWN if nature.noise and self.chance.random() < nature.noise else None

    def _reading(self, each: Endpoint, failure: Failure | None, *, old: bool = False, prober: bool = False) -> Reading:
        if failure is not None:
            return Reading(each.id, (failure,), prober=prober)
        return Reading(each.id, (), 200, 0.1, OLD if old else self.version, old and self.nature.cached)

    def purge(self, stale: Mapping[str, Sequence[Reading]]) -> bool:
        """Empty the caches: two minutes, after which they hold the new version."""
        self.clock.time += 120.0
        self.nature = replace(self.nature, stale=0)
        return True


def judge_release(case: Case, seed: int, settings: Checks = CHECKS) -> Judged:
    """One release of this kind, from its baseline to its verdict."""
    clock, listener = FakeClock(), Listener()
    opened = clock.monotonic()
    chance = random.Random(f"{case.name} {seed}")
    baseline = take_baseline(Site(case.before, clock, chance, OLD), settings, clock, listener)
    looked = clock.monotonic() - opened
    judge = Judge(settings, dict.fromkeys((each.id for each in settings.endpoints), NEW), baseline)
    site, began = Site(case.after, clock, chance, NEW), clock.monotonic()
    purge: Callable[[Mapping[str, Sequence[Reading]]], bool] | None = site.purge if case.purge_helps else None
    judgement = prove(site, judge, settings, clock, listener, purge)
    assert judgement.verdict is not None
    return Judged(judgement.verdict, looked, site.rounds, clock.monotonic() - began)


def noisy(share: float, **more: object) -> Nature:
    return Nature(noise=share, **more)  # type: ignore[arg-type]


CALM = Nature()
ONE_PERCENT = noisy(0.01)
ALL_BROKEN = Nature(sick=ENDPOINTS)
THIRD = Nature(sick=1, share=1 / 3)
TENTH = Nature(sick=1, share=1 / 10)
SHAKY = Nature(together=0.02)

CASES: tuple[Case, ...] = (
    Case("no failures", CALM, CALM, HEALTHY, UNHEALTHY),
    Case("0.1 % random failures", noisy(0.001), noisy(0.001), HEALTHY, UNHEALTHY, many=True),
    Case("1 % random failures", ONE_PERCENT, ONE_PERCENT, HEALTHY, UNHEALTHY, many=True),
    Case("5 % random failures", noisy(0.05), noisy(0.05), HEALTHY, UNHEALTHY, 0.005, many=True),
    Case("one endpoint broken before, still so", Nature(0.001, sick=1), Nature(0.001, sick=1), HEALTHY, UNHEALTHY),
    Case("one broken before, now in another way", Nature(0.001, sick=1), Nature(0.001, 1, failure=_OTHER), UNHEALTHY,
         HEALTHY),
    Case("all broken before, repaired", ALL_BROKEN, CALM, HEALTHY, UNHEALTHY),
    Case("all broken before, still so", ALL_BROKEN, ALL_BROKEN, INCONCLUSIVE, UNHEALTHY),
    Case("one slow after, always", CALM, Nature(sick=1, failure=_SLOW), UNHEALTHY, HEALTHY),
    Case("one slow after, every second time", CALM, Nature(0, 1, 1 / 2, _SLOW), UNHEALTHY, HEALTHY, 0.005),
    Case("one always broken", CALM, Nature(sick=1), UNHEALTHY, HEALTHY, many=True),
    Case("one always broken, 1 % random failures", ONE_PERCENT, Nature(0.01, sick=1), UNHEALTHY, HEALTHY, many=True),
    Case("one broken every second time", CALM, Nature(0, 1, 1 / 2), UNHEALTHY, HEALTHY, 0.005, many=True),
    Case("one broken every third time", CALM, Nature(0, 1, 1 / 3), UNHEALTHY, HEALTHY, 0.005, many=True),
    Case("one broken every third time, 0.1 % random failures", noisy(0.001), Nature(0.001, 1, 1 / 3), UNHEALTHY,
         HEALTHY, 0.005, many=True),
    Case("one broken every third time, 1 % random failures", ONE_PERCENT, Nature(0.01, 1, 1 / 3), UNHEALTHY,
         HEALTHY, 0.005, many=True),
    Case("one fails every third time before and after", THIRD, THIRD, HEALTHY, UNHEALTHY, None),
    Case("one failed every third time, now always", THIRD, Nature(sick=1), UNHEALTHY, HEALTHY, 0.005, many=True),
    Case("one fails every tenth time before and after", TENTH, TENTH, HEALTHY, UNHEALTHY, None),
    Case("one failed every tenth time, now every second", TENTH, Nature(0, 1, 1 / 2), UNHEALTHY, HEALTHY, None),
    Case("2 % of rounds fail as a whole", SHAKY, SHAKY, HEALTHY, UNHEALTHY, 0.005, many=True),
    Case("this machine offline in one round of five", CALM, Nature(offline=0.2), HEALTHY, UNHEALTHY),
    Case("this machine offline", CALM, Nature(offline=1.0), INCONCLUSIVE, UNHEALTHY),
    Case("a stale edge, emptied", CALM, Nature(stale=2, cached=True), HEALTHY, UNHEALTHY, purge_helps=True),
    Case("a stale edge that cannot be emptied", CALM, Nature(stale=2, cached=True), INCONCLUSIVE, UNHEALTHY),
    Case("a version that never changes", ONE_PERCENT, Nature(0.01, stale=ENDPOINTS), INCONCLUSIVE, UNHEALTHY),
)  # fmt: skip
