"""The verdict on a release. Pure: no clock, no network; rounds of readings go in, a `Judgement` comes out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from deploykit.config.checks import Checks
from deploykit.judge.endpoint import EndpointWatch
from deploykit.judge.findings import endpoint_findings, prober_offline
from deploykit.judge.noise import broken
from deploykit.judge.tally import prober_blind
from deploykit.model.finding import Finding
from deploykit.model.probe import EndpointResult, Reading, Samples
from deploykit.model.release import Verdict

BLIND_ROUNDS = 5  # rounds in a row that said nothing of the endpoints, after which further rounds are pointless


@dataclass(frozen=True)
class Judgement:
    """Where the judging of a release stands. ``verdict`` is None until ``decided``.

    ``condemned`` and ``stale`` name deciding endpoints only: those that fail more than before, and those that answer
    well but keep showing another version than they should.
    """

    decided: bool
    verdict: Verdict | None
    endpoints: Mapping[str, EndpointResult] = field(default_factory=dict)
    stale: tuple[str, ...] = ()
    condemned: tuple[str, ...] = ()
    prober_blind: bool = False
    reason: str = ""
    findings: tuple[Finding, ...] = ()


class Judge:
    """Takes rounds of readings and says what they prove.

    ``expected``: endpoint id to the version it must show (None or missing: not compared). ``baseline``: endpoint id to
    its samples before the release (None: none was taken; an endpoint missing from it is new). ``absolute``: the
    baseline is reported, but excuses nothing. ``restoring``: what is judged is the way back to what the baseline saw;
    where everything was broken then, as broken as that is as healthy as before, and worse is UNHEALTHY.
    """

    def __init__(
        self,
        checks: Checks,
        expected: Mapping[str, str | None],
        baseline: Mapping[str, Samples] | None,
        absolute: bool = False,
        restoring: bool = False,
    ) -> None:
        seen = {name: samples for name, samples in (baseline or {}).items() if samples.samples}
        deciding = [each.id for each in checks.endpoints if each.severity == "error" and each.id in seen]
        everything_broken = bool(deciding) and all(broken(seen[name]) for name in deciding)
        self._repair = everything_broken and not restoring and not absolute
        self._rounds = 0
        self._blind_rounds = 0
        self._repaired: set[str] = set()
        self._watches = {
            each.id: EndpointWatch(
                each,
                checks,
                expected.get(each.id),
                seen.get(each.id),
                new=baseline is not None and each.id not in seen and not absolute,
                absolute=absolute,
                # Where everything was broken, only good answers count for good: a repair must show itself.
                excuse=not (self._repair and each.severity == "error"),
            )
            for each in checks.endpoints
        }

    def take(self, readings: Sequence[Reading]) -> None:
        """One round. It is not counted where every probe failed in a way that speaks of the prober."""
        if prober_blind(readings):
            self._blind_rounds += 1
            return
        self._blind_rounds = 0
        self._rounds += 1
        by_endpoint: dict[str, list[Reading]] = {}
        for reading in readings:
            by_endpoint.setdefault(reading.endpoint, []).append(reading)
        for name, each in by_endpoint.items():
            self._watches[name].take(each)

    def forget_versions(self, endpoints: Iterable[str]) -> None:
        """Test the versions of ``endpoints`` anew: their caches were emptied."""
        for name in endpoints:
            self._repaired.add(name)
            self._watches[name].forget_versions()

    def other_versions(self, endpoints: Iterable[str]) -> dict[str, tuple[Reading, ...]]:
        """The last readings of each endpoint that showed another version than they should."""
        return {name: tuple(self._watches[name].other_version) for name in endpoints}

    def watch(self, endpoint: str) -> EndpointWatch:
        """What is known of one endpoint, by its id."""
        return self._watches[endpoint]

    def states(self) -> dict[str, str]:
        """Each endpoint's state in a few words."""
        return {name: watch.state for name, watch in self._watches.items()}

    def progress(self) -> str:
        """The whole in one line: how many endpoints are proven after how many rounds."""
        deciding = self._deciding
        proven = sum(watch.settled and not watch.condemned and not watch.stale for watch in deciding)
        blind = f", {self._blind_rounds} in which this machine reached nothing" if self._blind_rounds else ""
        rounds = "1 round" if self._rounds == 1 else f"{self._rounds} rounds"
        if not self._watches:
            return "no endpoint is configured"
        if not deciding:
            return f"nothing to prove after {rounds}: every endpoint is only a warning{blind}"
        return f"{proven} of {len(deciding)} endpoints proven after {rounds}{blind}"

    def judgement(self) -> Judgement:
        """What the rounds so far prove."""
        deciding = self._deciding
        condemned = [watch for watch in deciding if watch.condemned]
        stale = [watch for watch in deciding if watch.stale]
        if not deciding:
            what = "only endpoints with severity warn" if self._watches else "no endpoint"
            return self._judgement(Verdict.UNCHECKED, f"{what} configured: ECS's word only")
        if self._blind_rounds >= BLIND_ROUNDS:
            return self._blind()
        if condemned and self._repair:
            return self._judgement(Verdict.INCONCLUSIVE, f"everything was broken before, and {_failing(condemned)}")
        if condemned:
            return self._judgement(Verdict.UNHEALTHY, _failing(condemned))
        if not all(watch.settled for watch in deciding):
            return self._judgement(None, self.progress())
        if stale:
            return self._judgement(Verdict.INCONCLUSIVE, _keeping(stale))
        samples = sum(watch.tally.total for watch in deciding)
        return self._judgement(Verdict.HEALTHY, f"{self.progress()}, {samples} samples")

    def expired(self) -> Judgement:
        """The final judgement at the deadline: INCONCLUSIVE where the samples have not decided."""
        judgement = self.judgement()
        if judgement.decided:
            return judgement
        if self._blind_rounds and not self._rounds:
            return self._blind()
        waiting = ", ".join(watch.endpoint.id for watch in self._deciding if not watch.settled)
        return self._judgement(Verdict.INCONCLUSIVE, f"not decided by the deadline: {waiting}", undecided=True)

    @property
    def _deciding(self) -> list[EndpointWatch]:
        return [watch for watch in self._watches.values() if watch.decides]

    def _blind(self) -> Judgement:
        rounds = self._blind_rounds
        reason = f"no endpoint could be reached from this machine ({rounds} rounds): its DNS or network is failing"
        return self._judgement(Verdict.INCONCLUSIVE, reason, blind=True)

    def _judgement(
        self, verdict: Verdict | None, reason: str, blind: bool = False, undecided: bool = False
    ) -> Judgement:
        findings = [prober_offline(reason)] if blind else []
        for watch in self._watches.values():
            findings += endpoint_findings(watch, watch.endpoint.id in self._repaired, undecided)
        return Judgement(
            decided=verdict is not None,
            verdict=verdict,
            endpoints={name: watch.result for name, watch in self._watches.items()},
            stale=tuple(watch.endpoint.id for watch in self._deciding if watch.stale),
            condemned=tuple(watch.endpoint.id for watch in self._deciding if watch.condemned),
            prober_blind=blind,
            reason=reason,
            findings=tuple(findings),
        )


def _failing(watches: Sequence[EndpointWatch]) -> str:
    return "; ".join(f"{watch.endpoint.id} fails: {watch.tally.evidence[0]}" for watch in watches)


def _keeping(watches: Sequence[EndpointWatch]) -> str:
    return "; ".join(f"{watch.endpoint.id} {watch.state}" for watch in watches)
