"""``deploykit status``: what runs where, since when, by whom, and what differs from what was released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploykit.config.schema import Configuration
from deploykit.deploy.way_back import way_back
from deploykit.edges.aws.ecs import describe_definition
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.ledger.lock import read_lock
from deploykit.ledger.read import read_releases
from deploykit.ledger.running import drift, live_of, running_release, took_effect
from deploykit.ledger.store import Store
from deploykit.model.difference import differences
from deploykit.model.ledger import LedgerEntry
from deploykit.model.lock import Lock
from deploykit.model.observed import ObservedService
from deploykit.model.release import Outcome
from deploykit.model.status import Drift, ReleaseStatus, ServiceStatus, StatusReport, Unfinished
from deploykit.targets.ecs.definition import registration
from deploykit.targets.ecs.observe import observe_existing, service_names


def status(configuration: Configuration, world: World) -> StatusReport:
    """What runs in the environment now. A service that does not exist is a warning, and hides no other.

    Raises: FailedBefore (no such cluster), NotAllowed, AwsUnreachable.
    """
    observed = observe_existing(configuration, world.aws, refusing=False)
    names = service_names(configuration)
    for key in names.keys() - observed.keys():
        world.progress.warn(f"service {names[key].service} does not exist in cluster {names[key].cluster}", key)
    ledger = read_releases(configuration, world.aws, lambda: observed, world.progress)
    entries, live, lock = ledger.entries, live_of(observed), _lock(ledger.store, world)
    return StatusReport(
        release=running(entries, observed),
        services={key: _service(observed.get(key), entries) for key in names},
        lease=lock.status.lease,
        hold=lock.status.hold,
        unfinished=unfinished(entries, lock),
        drift=_by_field(drift(entries, observed), observed, world.aws),
        way_back=way_back(configuration, world.aws, entries, live),
    )


def _lock(store: Store | None, world: World) -> Lock:
    try:
        return read_lock(store.objects) if store else Lock()
    except (OutOfReach, FailedBefore) as trouble:
        world.progress.warn(f"who holds the deploy lock cannot be read: {trouble.message}")
        return Lock()


def unfinished(entries: Sequence[LedgerEntry], lock: Lock) -> Unfinished | None:
    """The newest of ``entries`` (newest first) that changes services, if it has no end yet. Pure."""
    entry = next((entry for entry in entries if entry.kind != "step" or entry.changing), None)
    if entry is None or entry.outcome not in (None, Outcome.INTERRUPTED) or not entry.by:  # tags tell no author
        return None
    alive = lock.lease is not None and lock.lease.alive and lock.lease.lease.release == entry.id
    doing = "undo" if entry.undo else entry.command
    return Unfinished(entry.id, entry.command, doing, entry.sha, entry.by, entry.started, alive)


def running(entries: Sequence[LedgerEntry], observed: Mapping[str, ObservedService]) -> ReleaseStatus:
    """The release that runs as a whole, by ``entries`` (newest first). Pure.

    After a rollback of some services, or one that was interrupted, there may be none: each service has its own.
    A deploy that was killed has not written its revisions down, but they are tagged with its entry's id.
    """
    found = running_release(entries, live_of(observed), whole=True)
    entry = found.entry
    if found.release is None:
        newest = max((service.definition.release or "" for service in observed.values()), default="")
        entry = next((e for e in entries if e.id == newest and not (e.verdict and e.verdict.final)), None)
        if any(later.id > newest and (later.kind == "rollback" or took_effect(later)) for later in entries):
            entry = None  # left since, if only by some services
        if entry and any(service.definition.release != entry.id for service in _changing(entry, observed)):
            entry = None  # it has not reached every service, or an undo has left some
    if entry is None:
        return ReleaseStatus(found.release, found.set_by.sha if found.set_by else None)
    return ReleaseStatus(entry.id, entry.sha, entry.verdict)


def _changing(entry: LedgerEntry, observed: Mapping[str, ObservedService]) -> list[ObservedService]:
    return [observed[key] for key in entry.changing if key in observed]


def _by_field(found: Sequence[Drift], observed: Mapping[str, ObservedService], aws: Aws) -> tuple[Drift, ...]:
    """Each other revision, followed by what is other in it; only the image where the released one cannot be read."""
    fields: dict[str, list[Drift]] = {}
    for one in found:
        if one.path != "task_definition" or one.released is None:
            continue
        try:
            released = describe_definition(aws, one.released)
        except (AwsRefused, NotAllowed):
            continue
        live = observed[one.service].definition
        told = differences(registration(released), registration(live))
        fields[one.service] = [Drift(one.service, field.path, field.before, field.after) for field in told]
    kept = [one for one in found if one.path == "task_definition" or one.service not in fields]
    return tuple(
        each for one in kept for each in (one, *(fields.get(one.service, ()) if one.path == "task_definition" else ()))
    )


def _service(observed: ObservedService | None, entries: Sequence[LedgerEntry]) -> ServiceStatus:
    if observed is None:
        return ServiceStatus()
    primary = observed.state.primary
    arn = observed.definition.arn
    brought = (e for e in entries if (s := e.services.get(observed.key)) and s.changed and s.task_definition == arn)
    entry = next(brought, None) or next((e for e in entries if e.id == observed.definition.release), None)
    return ServiceStatus(
        sha=observed.sha,
        image=observed.image,
        digest=observed.digest,
        task_definition=arn,
        desired=observed.state.desired,
        running=observed.state.running,
        rollout=primary.state.lower() if primary and primary.state else None,
        since=primary.created if primary else None,
        by=entry.by or None if entry else None,
    )
