"""``deploykit status``: what runs where, since when, by whom, and what differs from what was released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.deploy.way_back import way_back
from deploykit.edges.aws.ecs import describe_definition, describe_services
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.parallel import side_by_side
from deploykit.edges.world import World
from deploykit.ledger.read import recorded_releases
from deploykit.ledger.running import Revisions, last_effective, live_of, running_release, took_effect
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.status import Drift, RunningRelease, ServiceStatus, StatusReport
from deploykit.targets.ecs.definition import registration
from deploykit.targets.ecs.diff import differences
from deploykit.targets.ecs.observe import service_names


def status(configuration: Configuration, world: World) -> StatusReport:
    """What runs in the environment now. A service that does not exist is a warning, and hides no other.

    Raises: FailedBefore (no such cluster), NotAllowed, AwsUnreachable.
    """
    observed = observe_existing(configuration, world.aws)
    names = service_names(configuration)
    for key in names.keys() - observed.keys():
        world.progress.warn(f"service {names[key].service} does not exist in cluster {names[key].cluster}", key)
    entries = recorded_releases(configuration, world.aws, lambda: observed, world.progress).entries
    live = live_of(observed)
    return StatusReport(
        release=running(entries, observed),
        services={key: _service(observed.get(key), entries) for key in names},
        drift=_by_field(drift(entries, observed), observed, world.aws),
        way_back=way_back(configuration, world.aws, entries, live),
    )


def running(entries: Sequence[LedgerEntry], observed: Mapping[str, ObservedService]) -> RunningRelease:
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
    if entry is None:
        return RunningRelease(found.release, found.set_by.sha if found.set_by else None)
    return RunningRelease(entry.id, entry.sha, entry.verdict)


def drift(entries: Sequence[LedgerEntry], observed: Mapping[str, ObservedService]) -> tuple[Drift, ...]:
    """What runs otherwise than the newest of ``entries`` that took effect left it. Pure.

    A release under way, or interrupted, is no drift: what it has brought so far is tagged with its entry's id.
    """
    unfinished = {
        entry.id for entry in entries if entry.kind == "deploy" and not (entry.verdict and entry.verdict.final)
    }
    last = last_effective(entries)
    if last is None or running_release(entries, live_of(observed)).release is not None:
        return ()
    revisions = Revisions(entries)
    found: list[Drift] = []
    for key, service in observed.items():
        released = last.services.get(key)
        if released is None or revisions.same(released.task_definition, service.definition.arn):
            continue
        if service.definition.release in unfinished:
            continue
        found.append(Drift(key, "task_definition", released.task_definition, service.definition.arn))
        if released.image != service.image:
            found.append(Drift(key, f"containers.{service.container}.image", released.image, service.image))
    return tuple(found)


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


def observe_existing(configuration: Configuration, aws: Aws) -> dict[str, ObservedService]:
    """Every service that exists and has a task definition (under the EXTERNAL controller it has none)."""
    states = describe_services(aws, list(service_names(configuration).values()))
    arns = sorted({state.task_definition for state in states.values() if state.task_definition})
    definitions = side_by_side({arn: partial(describe_definition, aws, arn) for arn in arns})
    return {
        key: ObservedService(state, definitions[state.task_definition], configuration.services[key].container or key)
        for key, state in states.items()
        if state.task_definition
    }


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
