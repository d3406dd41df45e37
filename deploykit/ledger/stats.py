"""The four DORA measures of an environment, out of its ledger. Pure.

Names and meaning are DORA's (https://dora.dev/guides/dora-metrics/, as of January 2026); what each is computed from:

* Deployment: a run of ``deploy`` in the window that rolled something out and ended. Not counted: interrupted runs (the
  next one of the commit continues the entry), runs that failed before the rollout, single steps, and rollbacks.
* Deployment frequency: deployments a day, in the part of the window since the ledger's first entry.
* Change lead time: from the commit's own time to the end of the first run that proved it healthy (or had no endpoint to
  ask). Earlier commits that it contains waited longer, but the ledger does not know them.
* Change fail rate: the share of deployments that were undone, left unhealthy, or withdrawn by a later rollback. One
  that a still later rollback restored is no longer withdrawn, and counts as it was judged.
* Failed deployment recovery time: from the start of the run that failed (for a withdrawn one: of the rollback, because
  nobody knows when it began to fail) to the end of the first run, the same or a later one, that ended the failure: an
  undo, a healthy rollback, or a healthy deploy in which the endpoints that the failed one broke answer again.

DORA's fifth measure, the deployment rework rate, needs to know which deployments were unplanned; a ledger does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from deploykit.model.ledger import LedgerEntry
from deploykit.model.probe import EndpointClass
from deploykit.model.release import Outcome, Verdict
from deploykit.model.stats import (
    ChangeFailRate,
    ChangeLeadTime,
    DeliveryStats,
    DeploymentFrequency,
    Deployments,
    Duration,
    FailedDeploymentRecoveryTime,
    NotCounted,
    Window,
)

FEW = 3  # a number from fewer values says little, and the report tells so
_DAY = 86400.0  # seconds
_BROKEN = (EndpointClass.REGRESSION, EndpointClass.PRE_EXISTING)


def delivery_stats(
    entries: Iterable[LedgerEntry], since: datetime, until: datetime, first: datetime | None
) -> DeliveryStats:
    """The measures from ``since`` to ``until``. ``entries``: at least those that began in that time, in any order.

    ``first``: when the ledger's first entry began; None: it has none.
    """
    known = [entry for entry in entries if (start := began(entry)) is not None and since <= start <= until]
    known.sort(key=lambda entry: entry.id)
    window = window_of(since, until, first)
    deploys = [entry for entry in known if entry.kind == "deploy" and entry.outcome is not Outcome.REFUSED]
    reached = [entry for entry in deploys if _why_not(entry) is None]
    failed = [entry for entry in reached if _failed(entry) or entry.withdrawn_by]
    return DeliveryStats(
        window,
        _counted(deploys, reached),
        _frequency(reached, window),
        _lead_time(reached),
        _fail_rate(reached, failed),
        _recovery(failed, known),
    )


def unknown_stats(since: datetime, until: datetime, reason: str) -> DeliveryStats:
    """No measure at all, and why."""
    return DeliveryStats(
        window_of(since, until, None),
        deployment_frequency=DeploymentFrequency(reason=reason),
        change_lead_time=ChangeLeadTime(reason=reason),
        change_fail_rate=ChangeFailRate(reason=reason),
        failed_deployment_recovery_time=FailedDeploymentRecoveryTime(reason=reason),
    )


def window_of(since: datetime, until: datetime, first: datetime | None) -> Window:
    """The window, and the part of it that the ledger covers."""
    observed = (until - max(since, first)).total_seconds() if first is not None else 0.0
    seconds = (until - since).total_seconds()
    return Window(since, until, seconds, round(seconds / _DAY, 2), max(0.0, observed))


def began(entry: LedgerEntry) -> datetime | None:
    """When the run began; None where its entry does not say."""
    return _moment(entry.started)


def _why_not(entry: LedgerEntry) -> str | None:
    """Why a run of ``deploy`` does not count as a deployment; None where it does."""
    if entry.outcome is None:
        return "not finished: under way, or killed"
    if entry.outcome is Outcome.INTERRUPTED:
        return "interrupted, or another rollout took over"
    if not any(service.changed for service in entry.services.values()):
        return "ended before the rollout"
    return None


def _failed(entry: LedgerEntry) -> bool:
    """True where its own checks or rollout failed; whether it was withdrawn is another question."""
    return entry.verdict is Verdict.UNHEALTHY or entry.outcome in (Outcome.ROLLED_BACK, Outcome.FAILED)


def _counted(deploys: Sequence[LedgerEntry], reached: Sequence[LedgerEntry]) -> Deployments:
    words = ["failed" if _failed(e) else "withdrawn" if e.withdrawn_by else _word(e) for e in reached]
    return Deployments(
        total=len(reached),
        healthy=words.count("healthy"),
        unchecked=words.count("unchecked"),
        inconclusive=words.count("inconclusive"),
        failed=words.count("failed"),
        withdrawn=words.count("withdrawn"),
        not_counted=tuple(NotCounted(entry.id, why) for entry in deploys if (why := _why_not(entry)) is not None),
    )


def _word(entry: LedgerEntry) -> str:
    return entry.verdict.value if entry.verdict is not None and entry.verdict.verified else "inconclusive"


def _frequency(reached: Sequence[LedgerEntry], window: Window) -> DeploymentFrequency:
    count = len(reached)
    starts = sorted(start for entry in reached if (start := began(entry)) is not None)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(starts)]
    between = median(gaps) if gaps else None
    if not window.observed_seconds:
        return DeploymentFrequency(reason="no deployment in this time")
    if window.observed_seconds < _DAY:
        return DeploymentFrequency(None, count, between, "less than a day is known: too short for a number a day")
    return DeploymentFrequency(round(count * _DAY / window.observed_seconds, 4), count, between)


def _lead_time(reached: Sequence[LedgerEntry]) -> ChangeLeadTime:
    arrived: dict[str, LedgerEntry] = {}
    for entry in reached:
        if entry.sha and entry.outcome is Outcome.DEPLOYED and entry.verdict is not None and entry.verdict.verified:
            arrived.setdefault(entry.sha, entry)
    durations = []
    for entry in arrived.values():
        committed, end = _moment(entry.committed), _end(entry)
        if committed is not None and end is not None and end >= committed:  # else a clock was wrong
            durations.append(Duration(entry.id, (end - committed).total_seconds()))
    typical, reason = _median(durations, "change with a known commit time")
    return ChangeLeadTime(typical, len(durations), len(arrived), tuple(durations), reason)


def _fail_rate(reached: Sequence[LedgerEntry], failed: Sequence[LedgerEntry]) -> ChangeFailRate:
    rate = round(len(failed) / len(reached), 4) if reached else None
    return ChangeFailRate(rate, len(failed), len(reached), _few(len(reached), "deployment"))


def _recovery(failed: Sequence[LedgerEntry], known: Sequence[LedgerEntry]) -> FailedDeploymentRecoveryTime:
    found = [(entry, _recovered(entry, known)) for entry in failed]
    durations = tuple(Duration(entry.id, seconds) for entry, seconds in found if seconds is not None)
    typical, reason = _median(durations, "recovery")
    if not durations:
        reason = f"none of {len(failed)} has ended, as far as the ledger shows" if failed else "no deployment failed"
    return FailedDeploymentRecoveryTime(typical, len(durations), len(failed), durations, reason)


def _recovered(entry: LedgerEntry, known: Sequence[LedgerEntry]) -> float | None:
    """Seconds that a failure lasted; None where it still lasts, or its end is unknown. ``known``: oldest first."""
    start = began(entry)
    if _failed(entry):
        if entry.outcome is Outcome.ROLLED_BACK:
            return _between(start, _end(entry))
        later = [other for other in known if other.id > entry.id]
    else:
        later = [other for other in known if entry.withdrawn_by and other.id >= entry.withdrawn_by]
        if not later or later[0].id != entry.withdrawn_by:
            return None
        start = began(later[0])
    broken = {name for name, result in entry.checks.items() if result.kind is EndpointClass.REGRESSION}
    over = next((other for other in later if _ends(other, broken)), None)
    return _between(start, _end(over)) if over is not None else None


def _ends(entry: LedgerEntry, broken: Iterable[str]) -> bool:
    """True where the environment was healthy after this run, including the endpoints that were ``broken`` before."""
    well = entry.verdict is not None and entry.verdict.verified
    done = entry.outcome is {"deploy": Outcome.DEPLOYED, "rollback": Outcome.ROLLED_BACK}.get(entry.kind)
    still = any(entry.checks[name].kind in _BROKEN for name in broken if name in entry.checks)
    return well and done and not still


def _end(entry: LedgerEntry) -> datetime | None:
    """When the run ended; older entries have only how long it took."""
    start = began(entry)
    if (end := _moment(entry.ended)) is not None or start is None or entry.seconds is None:
        return end
    return start + timedelta(seconds=entry.seconds)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def _median(durations: Sequence[Duration], what: str) -> tuple[float | None, str | None]:
    typical = median(duration.seconds for duration in durations) if durations else None
    return typical, _few(len(durations), what)


def _few(count: int, what: str) -> str | None:
    """Why there is no number, or why it says little; None where there are enough values."""
    if not count:
        return f"no {what} in this time"
    return f"only {count}, which says little" if count < FEW else None


def _moment(stamp: str | None) -> datetime | None:
    """A timestamp of the ledger (RFC 3339); None where it is missing or cannot be read."""
    try:
        moment = datetime.fromisoformat((stamp or "").replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
