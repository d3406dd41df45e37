"""``deploykit plan``: the computation of ``deploy``, shown instead of carried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from deploykit.deploy.migrating.decide import migrations_of
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.outlook import Outlook, decided, look, plan_of, refusals
from deploykit.deploy.preflight import preflight
from deploykit.deploy.reading.status import drift
from deploykit.deploy.returning.releases import live_of
from deploykit.deploy.returning.startable import Startable
from deploykit.deploy.returning.way_back import way_back
from deploykit.errors import DeploykitError, FailedBefore
from deploykit.model.plan import Change, Plan, Supply
from deploykit.model.planned import PlannedField, PlannedService, PlanReport
from deploykit.targets.ecs.definition import registration, short
from deploykit.targets.ecs.diff import differences


def plan(order: DeployOrder, edges: Edges) -> PlanReport:
    """What ``deploy`` would do now; nothing is changed, and what it would refuse is listed.

    Raises: OutOfReach, FailedBefore where it could not even look.
    """
    seen = look(order, edges)
    refused: list[DeploykitError] = [*refusals(order, edges, seen)]
    supplies: dict[str, Supply] = {}
    made: Plan | None = None
    try:
        supplies = decided(order, seen)
        made, _ = plan_of(order, edges, seen, seen.observed, supplies)
    except FailedBefore as refusal:
        refused.append(refusal)
    ahead = preflight(order.configuration, edges.aws, made) if made else Startable()
    back = way_back(order.configuration, edges.aws, seen.ledger.entries, live_of(seen.observed))
    changes = made.changes if made else {}
    return PlanReport(
        outcome=_outcome(changes, supplies),
        sha=seen.source.commit.tag,
        services={key: _service(key, seen, supplies, changes) for key in seen.chosen},
        migrations=_migrations(order, seen, made) if made else (),
        invalidations=made.invalidations if made else (),
        refusals=(*(": ".join(filter(None, (r.message, r.hint))) for r in refused), *ahead.problems),
        warnings=(*_warnings(seen), *ahead.warnings),
        way_back=back,
        order=tuple(changes),
    )


def _migrations(order: DeployOrder, seen: Outlook, plan: Plan) -> tuple[dict[str, str], ...]:
    try:
        planned = migrations_of(order.configuration, seen.source, plan, seen.ledger)
    except FailedBefore:
        return ()  # a path that is not there, which stands among the refusals
    return tuple({"service": item.service, "action": item.action, "reason": item.reason} for item in planned)


def _warnings(seen: Outlook) -> tuple[str, ...]:
    """What people should know: revisions of somebody else's, and what runs otherwise than it was released."""
    newer = [
        f"{key}: {short(service.newer.arn)} was registered by somebody else and runs nowhere yet; the release is made "
        "from it"
        for key, service in seen.observed.items()
        if service.newer is not None
    ]
    drifted = [
        f"{found.service}: {found.path} is {found.running}, and the last release left {found.released}"
        for found in drift(seen.ledger.entries, seen.observed)
    ]
    unseen = dict.fromkeys(text for item in seen.stock.values() for text in item.warnings)
    return (*newer, *drifted, *unseen)


def _outcome(changes: Mapping[str, Change], supplies: Mapping[str, Supply]) -> Literal["changes", "unchanged"]:
    builds = any(supply.action == "build" for supply in supplies.values())
    return "changes" if changes or builds else "unchanged"


def _service(key: str, seen: Outlook, supplies: Mapping[str, Supply], changes: Mapping[str, Change]) -> PlannedService:
    supply, change = supplies.get(key), changes.get(key)
    observed = seen.observed.get(key)
    if supply is None:
        return PlannedService("keep", observed.image if observed else None, "see refusals")
    image = supply.image.reference
    if change is None and observed is not None:
        return PlannedService("keep", observed.image, supply.why if supply.action == "keep" else "nothing to change")
    if change is None or observed is None or change.registration is None:
        return PlannedService(supply.action, image, supply.why)
    found = differences(registration(observed.definition), change.registration)
    return PlannedService(
        supply.action, image, supply.why, tuple(PlannedField(d.path, d.before, d.after) for d in found)
    )
