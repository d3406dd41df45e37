"""Prove a release: rounds of samples after it, until a verdict or the deadline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deploykit.config.checks import Checks, Endpoint
from deploykit.edges.clock import Clock, Deadline
from deploykit.judge.judge import Judge
from deploykit.model.probe import Reading
from deploykit.model.progress import Progress
from deploykit.model.release import Verdict

#: How long errors of before are waited for (seconds). CloudFront keeps errors for ten unless it is told otherwise; what
#: users still get after this time counts, whatever it dates from.
#: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
PATIENCE_WITH_CACHES = 60.0

AskRound = Callable[[Sequence[Endpoint]], Sequence[Reading]]


class Proof:
    """Rounds, ``checks.interval`` seconds from start to start, until ``judge`` has decided or at ``checks.deadline``.

    ``judgement`` is what they have proven so far. A failure that a cache may have kept since before the first round
    says nothing of what is judged, and is not counted.
    """

    def __init__(self, ask_round: AskRound, judge: Judge, checks: Checks, clock: Clock, progress: Progress) -> None:
        self.judgement = judge.judgement()
        self._ask, self._judge, self._checks = ask_round, judge, checks
        self._clock, self._progress = clock, progress
        self._past = Past(clock.monotonic())
        self._deadline = Deadline(clock, checks.deadline)
        self._began: float | None = None  # the last round
        self._tried: set[str] = set()
        self._said: dict[str, str] = {}
        self._found: tuple[list[str], float] = ([], 0.0)  # stale endpoints, and the seconds left when they were found

    def until_stale(self) -> Mapping[str, Sequence[Reading]]:
        """Rounds until it is decided; earlier where endpoints begin to keep an old version, once for each endpoint.

        Those, with the readings that showed it; empty where it is decided. The caller may empty the caches before
        them, say so with ``emptied``, and must call this again.
        """
        while self._next_round():
            stale = [name for name in self.judgement.stale if name not in self._tried]
            if stale and self.judgement.verdict is not Verdict.UNHEALTHY:
                self._tried.update(stale)
                self._found = (stale, self._deadline.left)
                return self._judge.other_versions(stale)
        return {}

    def emptied(self) -> None:
        """The caches before the endpoints found last are empty: their versions are tested anew.

        The time that this took does not count against the deadline.
        """
        stale, left = self._found
        self._judge.forget_versions(stale)
        self.judgement = self._judge.judgement()
        self._deadline = Deadline(self._clock, left)

    def _next_round(self) -> bool:
        """One round, once its time has come; False where it is decided, or there is no time left for it."""
        if self._began is not None:
            if self.judgement.decided:
                return False
            pause = max(0.0, self._began + self._checks.interval - self._clock.monotonic())
            if pause >= self._deadline.left:
                self.judgement = self._judge.expired()
                return False
            self._clock.sleep(pause)
        self._began = self._clock.monotonic()
        if self._checks.endpoints:
            self._judge.take(self._past.left_out(self._ask(self._checks.endpoints), self._began))
        self.judgement = self._judge.judgement()
        self._tell()
        return True

    def _tell(self) -> None:
        for name, known in self._judge.states().items():
            kept = name in self._past.kept
            state = (
                "a CDN cache still serves an error from before the release; waiting for it to expire" if kept else known
            )
            if self._said.get(name) != state:
                self._said[name] = state
                self._progress.live(name, state)
        self._progress.live("checks", self._judge.progress())


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
