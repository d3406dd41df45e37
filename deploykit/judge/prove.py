"""Prove a release: rounds of samples after it, until a verdict or the deadline."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from deploykit.config.checks import Checks, Endpoint
from deploykit.edges.clock import Clock, Deadline
from deploykit.judge.judge import Judge, Judgement
from deploykit.model.probe import Reading
from deploykit.model.progress import Progress
from deploykit.model.release import Verdict

#: How long errors of before are waited for (seconds). CloudFront keeps errors for ten unless it is told otherwise; what
#: users still get after this time counts, whatever it dates from.
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
PATIENCE_WITH_CACHES = 60.0

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
    and the time it took does not count against the deadline. A failure that a cache may have kept since before the
    first round says nothing of what is judged, and is not counted.
    """
    past = Past(clock.monotonic())
    deadline = Deadline(clock, checks.deadline)
    tried: set[str] = set()
    said: dict[str, str] = {}
    while True:
        began = clock.monotonic()
        if checks.endpoints:
            judge.take(past.left_out(ask_round(checks.endpoints), began))
        judgement = judge.judgement()
        _tell(progress, judge, said, past.kept)
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


class Past:
    """Tells failures of before ``since`` (seconds of the clock), which a cache still gives, from those of now."""

    def __init__(self, since: float) -> None:
        self.since = since
        self.kept: set[str] = set()  # endpoints whose cache gave one in the last round
        self._fail_now: set[str] = set()

    def left_out(self, readings: Sequence[Reading], asked: float) -> list[Reading]:
        """``readings`` of a round that was begun at ``asked``, but for failures that may date from before.

        Once an endpoint failed without a cache's help, what caches keep of it counts too.
        """
        self._fail_now |= {reading.endpoint for reading in readings if not reading.ok and reading.age is None}
        old = [reading for reading in readings if self._may_be_old(reading, asked)]
        self.kept = {reading.endpoint for reading in old}
        return [reading for reading in readings if reading not in old]

    def _may_be_old(self, reading: Reading, asked: float) -> bool:
        if reading.ok or reading.age is None or reading.endpoint in self._fail_now:
            return False
        elapsed = asked - self.since
        return elapsed < PATIENCE_WITH_CACHES and reading.age + 1 >= elapsed  # ages are rounded down


def at_edge(readings: Sequence[Reading], origin_readings: Sequence[Reading], expected: str | None) -> bool:
    """True where an old version is kept by the edge alone, so that emptying its caches helps.

    ``readings`` are those that showed another version than ``expected``; ``origin_readings`` the same endpoint's
    without the CDN. The origin's word counts where it gave one; else Age and X-Cache of the edge's answers.
    """
    answered = [reading for reading in origin_readings if reading.ok]
    if answered:
        return all(reading.version == expected for reading in answered)
    return any(reading.cached for reading in readings)


def _tell(progress: Progress, judge: Judge, said: dict[str, str], kept: Collection[str]) -> None:
    for name, known in judge.states().items():
        state = "a cache still gives a failure of before; waiting for it to forget" if name in kept else known
        if said.get(name) != state:
            said[name] = state
            progress.live(name, state)
    progress.live("checks", judge.progress())
