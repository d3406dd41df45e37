"""Wald's sequential probability ratio test: as many samples as chance requires, and no more.

https://en.wikipedia.org/wiki/Sequential_probability_ratio_test (A. Wald, 1945)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum


class Decision(Enum):
    """What a test has come to."""

    UNDECIDED = "undecided"
    ACCEPTED = "accepted"
    CONDEMNED = "condemned"


@dataclass(frozen=True)
class SequentialTest:
    """Is the share of bad samples as small as ``p0``, or as large as ``p1``?

    ``alpha`` is the chance of condemning at a share of ``p0``, ``beta`` that of accepting at ``p1``. With 0.01 and 0.33
    eighteen good samples accept and four bad ones condemn. ``score`` is the logarithm of the likelihood ratio so far.
    A test that has accepted can still condemn, when what was good turns bad while others are still being watched; one
    that has condemned stays so.
    """

    p0: float
    p1: float
    alpha: float = 1e-6
    beta: float = 1e-3
    score: float = 0.0
    decision: Decision = Decision.UNDECIDED

    def __post_init__(self) -> None:
        if not 0 < self.p0 < self.p1 < 1:
            raise ValueError(f"a test needs 0 < p0 < p1 < 1, not {self.p0:g} and {self.p1:g}")

    def after(self, ok: bool) -> SequentialTest:
        """The test with one more sample."""
        return self._moved(self.good if ok else self.bad)

    def after_round(self, good: int, bad: int) -> SequentialTest:
        """The test with the samples of one round, which share their second and their causes.

        However many there are, a round alone never condemns: of the bad samples that this takes, half of them (rounded
        up) count in one round. So two rounds in a row condemn, and two with good ones between them seldom do.
        """
        needed = math.ceil(self.upper / self.bad)
        most = math.ceil(needed / 2) * self.bad if needed > 1 else self.upper / 2
        return self._moved(min(good * self.good + bad * self.bad, most))

    @property
    def decided(self) -> bool:
        return self.decision is not Decision.UNDECIDED

    @property
    def good(self) -> float:
        """What one good sample adds to the score (below zero)."""
        return math.log((1 - self.p1) / (1 - self.p0))

    @property
    def bad(self) -> float:
        """What one bad sample adds to the score."""
        return math.log(self.p1 / self.p0)

    @property
    def upper(self) -> float:
        """The score that condemns."""
        return math.log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        """The score that accepts; it never falls below, so that late failures are not drowned by a long good past."""
        return math.log(self.beta / (1 - self.alpha))

    def _moved(self, step: float) -> SequentialTest:
        if self.decision is Decision.CONDEMNED:
            return self
        score = max(self.score + step, self.lower)
        decision: Decision = self.decision
        if score >= self.upper:
            decision = Decision.CONDEMNED
        elif score <= self.lower:
            decision = Decision.ACCEPTED
        return replace(self, score=score, decision=decision)
