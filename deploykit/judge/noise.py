"""The share of an endpoint's samples that failed before a release: what it may well be, and what that allows after it.

A few samples leave a share open. What is taken for plausible is Wilson's interval of one standard deviation to each
side: https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
"""

from __future__ import annotations

import math

from deploykit.config.checks import Checks
from deploykit.judge.sequential import SequentialTest
from deploykit.model.probe import Samples

_TIMES = 3  # failing this many times as often as before is a regression; below detect/3, `detect` is what is tested
_DEVIATIONS = 1.0  # the test itself is right in all but 1e-6; a wider interval only hides what got worse


def broken(before: Samples) -> bool:
    """True where an endpoint failed every sample, and there was one."""
    return 0 < before.samples == before.failed


def flickers(before: Samples) -> bool:
    """True where an endpoint failed some samples, and some not."""
    return 0 < before.failed < before.samples


def health_test(checks: Checks, before: Samples) -> SequentialTest:
    """The test of an endpoint's health after a release that was like ``before``; no samples: it is new.

    One that flickered is allowed the share of failures that it had, as large as its samples leave plausible. Where it
    is `seldom`, that may have been chance, and worse is ``checks.detect``, as for the others; else it is three times
    that share, or half of what is left of the samples.
    """
    if not flickers(before):
        return SequentialTest(checks.noise, checks.detect)
    noise = max(checks.noise, upper_share(before.failed, before.samples))
    worse = checks.detect if seldom(checks, before) else max(checks.detect, min(_TIMES * noise, (1 + noise) / 2))
    return SequentialTest(noise, worse)


def seldom(checks: Checks, before: Samples) -> bool:
    """True where an endpoint certainly failed so seldom that ``checks.detect`` can be told from it."""
    return upper_share(before.failed, before.samples) <= _limit(checks)


def often(checks: Checks, before: Samples) -> bool:
    """True where an endpoint certainly failed more often than that: by itself, not by chance."""
    return lower_share(before.failed, before.samples) > _limit(checks)


def upper_share(failed: int, samples: int) -> float:
    """The largest share of failures that ``failed`` of ``samples`` leave plausible."""
    share, spread = failed / samples, _DEVIATIONS**2 / samples
    centre = share + spread / 2
    width = _DEVIATIONS * math.sqrt(share * (1 - share) / samples + spread / (4 * samples))
    return (centre + width) / (1 + spread)


def lower_share(failed: int, samples: int) -> float:
    """The smallest share of failures that ``failed`` of ``samples`` leave plausible."""
    return max(0.0, 1 - upper_share(samples - failed, samples))


def _limit(checks: Checks) -> float:
    return max(checks.noise, checks.detect / _TIMES)
