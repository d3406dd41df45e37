"""The baseline: how each endpoint answers before a release, so that only what got worse is held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deploykit.config.checks import Checks, Endpoint
from deploykit.edges.clock import Clock, Deadline
from deploykit.judge.noise import flickers, often, seldom
from deploykit.judge.tally import Tally, prober_blind
from deploykit.model.probe import Reading, Samples
from deploykit.model.progress import Progress

BASELINE_ROUNDS = 3
FLICKER_ROUNDS = 20  # at most, where some samples fail and some do not
FLICKER_SECONDS = 20.0  # and so many more seconds at most, however slowly it answers
QUICK = 1.0  # seconds between rounds that only look, such as the baseline's

_OFTEN_ROUNDS = 10  # with fewer, one that fails often would be allowed nearly everything after the release

AskRound = Callable[[Sequence[Endpoint]], Sequence[Reading]]


def take_baseline(ask: AskRound, checks: Checks, clock: Clock, progress: Progress) -> dict[str, Samples]:
    """How each endpoint answers before anything changes, by endpoint id.

    Three rounds, a second from start to start. Where an endpoint that decides flickers, which may be chance or its
    nature, all are asked on until that is clear, for ``FLICKER_ROUNDS`` in all and ``FLICKER_SECONDS`` at most;
    ``progress`` is told which.
    A round in which this machine reached nothing says nothing of the endpoints and is asked again, ``BASELINE_ROUNDS``
    times at most; where none succeeded every endpoint has zero samples, and the release is judged as if it were new.
    """
    tallies = {endpoint.id: Tally() for endpoint in checks.endpoints}
    named: set[str] = set()
    longer: Deadline | None = None
    seen = blind = 0
    while tallies and blind <= BASELINE_ROUNDS:
        began = clock.monotonic()
        readings = ask(checks.endpoints)
        if prober_blind(readings):
            blind += 1
        else:
            seen += 1
            for reading in readings:
                tallies[reading.endpoint].add(reading)
        pause = max(0.0, began + min(checks.interval, QUICK) - clock.monotonic())
        if seen >= BASELINE_ROUNDS:
            unclear = _unclear(checks, tallies, seen)
            longer = longer or Deadline(clock, FLICKER_SECONDS)
            if not unclear or seen >= FLICKER_ROUNDS or pause >= longer.left:
                break
            _tell(progress, unclear, named)
        clock.sleep(pause)
    return {name: tally.samples for name, tally in tallies.items()}


def _unclear(checks: Checks, tallies: Mapping[str, Tally], rounds: int) -> dict[str, Samples]:
    """The deciding endpoints that flicker, of which it cannot be said yet whether they do so seldom or often."""
    samples = {each.id: tallies[each.id].samples for each in checks.endpoints if each.severity == "error"}
    return {
        name: each
        for name, each in samples.items()
        if flickers(each) and not seldom(checks, each) and not (rounds >= _OFTEN_ROUNDS and often(checks, each))
    }


def _tell(progress: Progress, unclear: Mapping[str, Samples], named: set[str]) -> None:
    for name, each in unclear.items():
        if name not in named:
            named.add(name)
            seen = f"{each.failed} of {each.samples} failed"
            progress.say(f"flickers ({seen}): asking for longer, {FLICKER_SECONDS:.0f} s at most", name)
