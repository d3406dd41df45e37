"""One endpoint while a release is judged: what was known before, and how its two tests stand."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from deploykit.config.checks import Checks, Endpoint
from deploykit.judge.noise import broken, health_test
from deploykit.judge.sequential import Decision, SequentialTest
from deploykit.judge.tally import Tally, key
from deploykit.model.probe import EndpointClass, EndpointResult, Reading, Samples

KEPT = 20  # readings with another version that are kept, to tell a stale edge from a release that did not arrive


class EndpointWatch:
    """One endpoint's samples after a release, and what they prove.

    Two tests run side by side: health over all samples, version over those whose expectations held. ``expected`` is
    the version it must show (None: not compared), ``before`` its baseline (None: none was taken or it was not in it),
    ``new``: others have one. ``absolute``: the baseline is reported only. ``excuse``: an endpoint that failed every
    baseline sample may continue to fail in the same way.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        checks: Checks,
        expected: str | None,
        before: Samples | None,
        *,
        new: bool,
        absolute: bool,
        excuse: bool,
    ) -> None:
        self.endpoint = endpoint
        self.expected = expected if endpoint.version is not None else None
        self.before = before or Samples()
        self.new = new
        self.excuse = excuse
        self.tally = Tally()
        self.versions: Counter[str | None] = Counter()
        self.other_version: list[Reading] = []
        self._baseline = Samples() if absolute else self.before
        self.health = health_test(checks, self._baseline)
        self._fresh = SequentialTest(checks.noise, checks.detect)
        self.version = self._fresh
        self._unknown_failures = 0
        self._known = {key(failure) for failure in self.before.failures} if self.broken_before else set()

    def take(self, readings: Sequence[Reading]) -> None:
        """The readings of one round."""
        held = [reading for reading in readings if reading.ok]
        known = sum(1 for reading in readings if not reading.ok and self._is_known(reading))
        excused = known if self.excuse else 0
        for reading in readings:
            self.tally.add(reading)
        self._unknown_failures += len(readings) - len(held) - known
        self.health = self.health.after_round(len(held) + excused, len(readings) - len(held) - excused)
        if self.expected is not None:
            other = [reading for reading in held if reading.version != self.expected]
            self.versions.update(reading.version for reading in held)
            self.other_version = [*self.other_version, *other][-KEPT:]
            self.version = self.version.after_round(len(held) - len(other), len(other))

    def forget_versions(self) -> None:
        """Start the version test anew: what was seen so far came out of a cache that has been emptied since."""
        self.version = self._fresh
        self.versions.clear()
        self.other_version = []

    @property
    def decides(self) -> bool:
        return self.endpoint.severity == "error"

    @property
    def condemned(self) -> bool:
        return self.health.decision is Decision.CONDEMNED

    @property
    def stale(self) -> bool:
        """True where it answers as expected, and keeps showing another version than it should, or none."""
        return self.expected is not None and self.version.decision is Decision.CONDEMNED

    @property
    def settled(self) -> bool:
        """True where more samples are not needed."""
        if self.condemned:
            return True
        if not self.health.decided:
            return False
        # One that never answered, as before the release, can show no version and must not hold the others up.
        silent = self.broken_before and self.tally.failed == self.tally.total
        return self.expected is None or silent or self.version.decided

    @property
    def broken_before(self) -> bool:
        return broken(self._baseline)

    @property
    def kind(self) -> EndpointClass | None:
        """How it fared compared with before; None where the samples do not tell yet.

        FLAKY says what was seen: it failed sometimes before, be it by chance, and fails no more than that now. What it
        was allowed is `health_test`'s: the share of failures that it had before.
        """
        if self.broken_before and self.tally.failed and not self._unknown_failures and self.health.decided:
            return EndpointClass.PRE_EXISTING if self.tally.failed == self.tally.total else EndpointClass.FLAKY
        if self.condemned:
            return EndpointClass.REGRESSION
        if not self.health.decided:
            return None
        if self.broken_before:
            return EndpointClass.FIXED
        if self._baseline.failed:
            return EndpointClass.FLAKY
        return EndpointClass.NEW if self.new else EndpointClass.OK

    @property
    def result(self) -> EndpointResult:
        return EndpointResult(self.kind, self.before, self.tally.samples, self.stale, self.tally.version)

    @property
    def state(self) -> str:
        """In a few words without figures that change every round, for people who watch."""
        if self.stale:
            return f"keeps showing {shown(self.tally.version)}, expected {shown(self.expected)}"
        if self.kind is EndpointClass.PRE_EXISTING:
            return "fails as before the release"
        if self.tally.failed:
            what = "fails" if self.condemned else "proven, with failures" if self.settled else "failures"
            return f"{what}: {self.tally.samples.failures[0].message}"
        if self.settled:
            return "proven"
        return "answers as expected" if self.tally.total else "not asked yet"

    def _is_known(self, reading: Reading) -> bool:
        return all(key(failure) in self._known for failure in reading.failures)


def shown(version: str | None) -> str:
    """A version for people: a commit's SHA shortened, as git does."""
    return "no version" if version is None else re.sub(r"^([0-9a-f]{7})[0-9a-f]{33}", r"\1", version)
