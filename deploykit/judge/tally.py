"""Readings of one endpoint, added up: how many failed, and by what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from deploykit.model.probe import Failure, Reading, Samples

FailureKey = tuple[str, str]  # expectation and kind: what makes two failures the same


def key(failure: Failure) -> FailureKey:
    """What tells one failure from another; messages carry figures that differ from sample to sample."""
    return failure.expectation, failure.kind


def prober_blind(readings: Iterable[Reading]) -> bool:
    """True where every reading of a round failed in a way that speaks of this machine: the round says nothing."""
    readings = tuple(readings)
    return bool(readings) and all(reading.prober for reading in readings)


class Tally:
    """Counts readings of one endpoint. The first message of each kind of failure is kept, as evidence."""

    def __init__(self) -> None:
        self.total = 0
        self.failed = 0
        self.version: str | None = None  # the last one reported
        self._counts: Counter[FailureKey] = Counter()
        self._first: dict[FailureKey, Failure] = {}

    def add(self, reading: Reading) -> None:
        self.total += 1
        self.failed += not reading.ok
        self.version = reading.version or self.version
        for each in {key(failure): failure for failure in reading.failures}.values():
            self._counts[key(each)] += 1
            self._first.setdefault(key(each), each)

    @property
    def samples(self) -> Samples:
        return Samples(self.total, self.failed, tuple(self._first.values()))

    @property
    def evidence(self) -> tuple[str, ...]:
        """Each distinct failure with how many samples had it, the most frequent first."""
        return tuple(
            f"{self._first[each].message} ({count} of {self.total} samples)"
            for each, count in self._counts.most_common()
        )
