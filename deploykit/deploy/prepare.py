"""From what was asked for to what a run needs to begin: facts, refusals, images, plan, preflight. Nothing runs yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploykit.config.schema import Configuration
from deploykit.deploy.facts import Facts, gather, refuse
from deploykit.deploy.images import ReleaseImages, bring_images, name_images, plan_images
from deploykit.deploy.lease import Held, logging
from deploykit.deploy.plan import plan_deploy
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.resume import resumed
from deploykit.deploy.run import Prepared
from deploykit.edges.world import World
from deploykit.errors import FailedBefore
from deploykit.ledger.journal import Steps, new_entry
from deploykit.model.finding import one_line, warnings
from deploykit.model.ledger import LedgerEntry
from deploykit.model.migration import PlannedMigration
from deploykit.model.plan import Plan, PlannedImage
from deploykit.preflight.release import preflight
from deploykit.preflight.release import refuse as refuse_unstartable
from deploykit.targets.migration.plan import migrations_of, remembered
from deploykit.targets.migration.resume import with_begun


@dataclass(frozen=True)
class Decided:
    """What a release is made of. ``unfinished``: the ledger entry that it continues."""

    facts: Facts
    images: Mapping[str, PlannedImage]
    plan: Plan
    migrations: Sequence[PlannedMigration]
    unfinished: LedgerEntry | None


def decide(request: DeployRequest, world: World, steps: Steps) -> Decided:
    """Gather the facts, refuse, bring the images, plan. Raises: FailedBefore, Refused, OutOfReach."""
    facts = gather(request, world)
    with logging(facts.ledger.store, request.command, facts.source.commit.tag, world):
        refuse(request, world, facts)
        planned = planned_images(request, facts)
        if any(image.action == "build" for image in planned.values()):
            refuse(request, world, facts.locked())  # nobody waits for a build to hear that
    images = bring_images(request, world, ReleaseImages(facts.source, facts.images, planned), steps)
    return plan_release(request, world, facts, images)


def decide_again(request: DeployRequest, held: Held, decided: Decided) -> Decided:
    """The same once the lease is ours: what was decided on is looked at again, just before the first change.

    Raises: FailedBefore, Refused, OutOfReach.
    """
    world, facts = held.world, decided.facts.again(request, held.world)
    refuse(request, world, facts)
    built = {key: image for key, image in decided.images.items() if image.action == "build"}
    return plan_release(request, world, facts, planned_images(request, facts) | built, held.left)


def planned_images(request: DeployRequest, facts: Facts) -> dict[str, PlannedImage]:
    """Build, reuse or keep, for each chosen service whose image is not among the refusals."""
    return plan_images(request, facts.source.commit, facts.images, facts.observed)


def plan_release(
    request: DeployRequest, world: World, facts: Facts, images: Mapping[str, PlannedImage], left: str | None = None
) -> Decided:
    """The plan of a release and its migrations; an unfinished release of the same commit is continued.

    ``left``: as `ledger.running.unfinished` takes it. Raises: FailedBefore.
    """
    configuration, commit = request.configuration, facts.source.commit
    release = facts.ledger.new_id(world.clock.now(), commit.sha)
    plan = plan_deploy(configuration, facts.observed, commit, images, release, request.command)
    plan, unfinished = resumed(plan, configuration, facts.ledger, request.command, world, left) or (plan, None)
    if unfinished and unfinished.undo:
        return Decided(facts, images, plan, (), unfinished)
    try:
        migrations = migrations_of(configuration, facts.source, plan, facts.ledger, force=request.force)
    except FailedBefore:  # a path that is not there, which stands among the refusals
        migrations = []
    return Decided(facts, images, with_begun(plan, migrations, world.aws), migrations, unfinished)


def prepare(request: DeployRequest, held: Held, decided: Decided, migrations: Sequence[PlannedMigration]) -> Prepared:
    """Look ahead, give the images the commit's tag, and make the run's ledger entry. Raises: FailedBefore."""
    configuration, facts, plan, unfinished = request.configuration, decided.facts, decided.plan, decided.unfinished
    world, commit = held.world, facts.source.commit
    if not (unfinished and unfinished.undo):
        look_ahead(configuration, world, plan)
        name_images(commit, decided.images, plan.changes, world)
    entry = unfinished or new_entry(plan, request.command, world, request.reason, commit, request.services)
    return Prepared(
        configuration,
        plan,
        facts.ledger,
        remembered(held.noted(entry), migrations),
        request.again,
        request.deadline,
        resumes=unfinished is not None,
    )


def look_ahead(configuration: Configuration, world: World, plan: Plan) -> None:
    """What would fail in ten minutes fails now. Raises: FailedBefore with everything that is missing."""
    ahead = preflight(configuration, world.aws, plan)
    for warning in warnings(ahead):
        world.progress.warn(one_line(warning))
    refuse_unstartable(ahead)
