"""``deploykit plan``: the computation of ``deploy``, shown instead of carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from deploykit.config.sequence import first_to_last
from deploykit.deploy.facts import Facts, gather, refusals
from deploykit.deploy.prepare import Decided, plan_release, planned_images
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services, identify
from deploykit.deploy.way_back import way_back
from deploykit.edges.world import World
from deploykit.errors import DeploykitError, FailedBefore, OutOfReach
from deploykit.images.lookup import FoundImage, warnings_of
from deploykit.ledger.running import drift, live_of
from deploykit.model.difference import differences
from deploykit.model.finding import errors, one_line, warnings
from deploykit.model.hint import joined
from deploykit.model.migration import PlannedMigration
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Change, Plan, PlannedImage
from deploykit.model.planned import PlannedField, PlannedService, PlannedTask, PlanReport
from deploykit.model.progress import Progress, Silent
from deploykit.preflight.release import preflight
from deploykit.preflight.waits import too_late
from deploykit.targets.ecs.definition import registration, short
from deploykit.targets.migration.resume import begun_attempt
from deploykit.targets.migration.task import tasks_of


def plan(request: DeployRequest, world: World) -> PlanReport:
    """What ``deploy`` would do now; nothing is changed, and what it would refuse is listed.

    Raises: OutOfReach; FailedBefore without a commit to plan for.
    """
    request = replace(request, command="deploy")  # whose plan it is
    noted = _Noted(world.progress)
    world = replace(world, progress=noted)
    source = identify(request, chosen_services(request.configuration, request.services))
    try:
        facts = gather(request, world, source).locked()
    except FailedBefore as refusal:  # AWS could be looked at, and something that must be there is not
        return PlanReport("unchanged", source.commit.tag, {}, refusals=(_said(refusal),), warnings=noted.warnings)
    refused: list[DeploykitError] = [*refusals(request, world, facts)]
    images: dict[str, PlannedImage] = {}
    decided: Decided | None = None
    try:
        images = planned_images(request, facts)
        decided = plan_release(request, world, facts, images)
    except FailedBefore as refusal:
        refused.append(refusal)
    made = decided.plan if decided else None
    ahead = preflight(request.configuration, world.aws, made) if made else ()
    back = way_back(request.configuration, world.aws, facts.ledger.entries, live_of(facts.observed))
    return PlanReport(
        outcome=_outcome(made, images),
        sha=source.commit.tag,
        services={key: _service(key, request, facts, images.get(key), made) for key in facts.chosen},
        migrations=_migrations(request, world, decided) if decided else (),
        invalidations=made.invalidations if made else (),
        refusals=(*map(_said, refused), *map(one_line, errors(ahead)), *_too_late(request, made)),
        warnings=(*_warnings(facts), *map(one_line, warnings(ahead)), *noted.warnings),
        way_back=back,
        order=tuple(key for key in first_to_last(made.sequence) if _rolls_out(key, made)) if made else (),
        continues=decided.unfinished.id if decided and decided.unfinished else None,
    )


class _Noted(Silent):
    """Keeps what is warned of on the way, which belongs into the plan; passes the rest on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._warned: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._warned)

    def say(self, text: str, subject: str = "") -> None:
        self._progress.say(text, subject)

    def warn(self, text: str, subject: str = "") -> None:
        self._warned[f"{subject}: {text}" if subject else text] = None


def _too_late(request: DeployRequest, plan: Plan | None) -> tuple[str, ...]:
    late = too_late(request.deadline, request.deadline, plan.least_seconds) if plan and plan.changes else None
    return (_said(late),) if late else ()


def _said(refusal: DeploykitError) -> str:
    problems = "; ".join(problem.message for problem in refusal.problems)
    return joined(": ", filter(None, (refusal.message, problems, refusal.hint)))


def _migrations(request: DeployRequest, world: World, decided: Decided) -> tuple[PlannedTask, ...]:
    services = request.configuration.services
    return tuple(
        PlannedTask(item.service, item.action, item.reason, command, _starts(item, command, world, decided.plan))
        for item in decided.migrations
        if (migrate := services[item.service].migrate) and (command := tuple(migrate.command))
    )


def _starts(item: PlannedMigration, command: tuple[str, ...], world: World, plan: Plan) -> bool:
    if item.pending is None:
        return item.action == "run"
    change, observed = plan.changes[item.service], plan.observed[item.service]
    try:
        known = tasks_of(world.aws, change.name, observed.definition.family)
        earlier = begun_attempt(world.aws, item, change, observed, command, known)
    except OutOfReach as trouble:
        world.progress.warn(f"could not look for the task that an earlier run began: {trouble.message}", item.service)
        return True
    return earlier is None or not earlier.continues


def _warnings(facts: Facts) -> tuple[str, ...]:
    """What people should know: revisions of somebody else's, and what runs otherwise than it was released."""
    newer = [
        f"{key}: {short(service.newer.arn)} was registered by somebody else and runs nowhere yet; the release is made "
        "from it"
        for key, service in facts.observed.items()
        if service.newer is not None
    ]
    drifted = [
        f"{found.service}: {found.path} is {found.running}, and the last release left {found.released}"
        for found in drift(facts.ledger.entries, facts.observed)
    ]
    return (*newer, *drifted, *warnings_of(facts.images))


def _outcome(plan: Plan | None, images: Mapping[str, PlannedImage]) -> Literal["changes", "unchanged"]:
    builds = any(image.action == "build" for image in images.values())
    return "changes" if builds or (plan and plan.changes) else "unchanged"


def _service(
    key: str, request: DeployRequest, facts: Facts, planned: PlannedImage | None, plan: Plan | None
) -> PlannedService:
    change, observed = plan.changes.get(key) if plan else None, facts.observed.get(key)
    rolls_out = plan is not None and _rolls_out(key, plan)
    return replace(
        _image(change, observed, planned),
        diff=_diff(change, observed) if rolls_out else (),
        repository=planned.image.repository if planned else None,
        tags=_tags(request, facts, facts.images[key], planned, changed=change is not None) if planned else (),
        cluster=observed.state.cluster if observed else None,
        service=observed.state.name if observed else None,
        task_definition=observed.definition.arn if observed else None,
        registers=observed.definition.family if observed and rolls_out and change and change.to is None else None,
        rolls_out=rolls_out,
    )


def _image(change: Change | None, observed: ObservedService | None, planned: PlannedImage | None) -> PlannedService:
    if planned is None:
        return PlannedService("keep", observed.image if observed else None, "see refusals")
    if change is None and observed is not None:
        return PlannedService("keep", observed.image, planned.why if planned.action == "keep" else "nothing to change")
    return PlannedService(planned.action, planned.image.reference, planned.why)


def _rolls_out(key: str, plan: Plan) -> bool:
    """True where the service goes to another revision: a release that is only judged once more begins no rollout."""
    change = plan.changes.get(key)
    return change is not None and (change.to is None or change.to.arn != plan.observed[key].definition.arn)


def _diff(change: Change | None, observed: ObservedService | None) -> tuple[PlannedField, ...]:
    if change is None or change.registration is None or observed is None:
        return ()
    found = differences(registration(observed.definition), change.registration)
    return tuple(PlannedField(d.path, d.before, d.after) for d in found)


def _tags(
    request: DeployRequest, facts: Facts, found: FoundImage, planned: PlannedImage, *, changed: bool
) -> tuple[str, ...]:
    commit = facts.source.commit.tag
    if planned.action != "build":
        return (commit,) if changed and not planned.named and planned.image.tag != commit else ()
    content = found.content_tag(rebuild=request.rebuild)
    return (planned.image.tag,) if content is None else (planned.image.tag, content)
