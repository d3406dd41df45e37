"""What `plan` and `deploy` find out before the first write. They share it, so that one says what the other does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from deploykit.deploy.images import decide, image_refusals, take_stock
from deploykit.deploy.plan import plan_deploy
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.resume import resumed
from deploykit.deploy.source import chosen_services, identify, refuse_older, refuse_withdrawn
from deploykit.edges.git import Source
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, Refused
from deploykit.images.lookup import Stock
from deploykit.images.sources import refuse_uncommitted
from deploykit.ledger.entries import Ledger, read_ledger
from deploykit.ledger.read import told_by_tags
from deploykit.model.ledger import LedgerEntry
from deploykit.model.migration import PlannedMigration
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Plan, Supply
from deploykit.targets.ecs.observe import observe, refuse_other_environments, refuse_unrollable, with_newer
from deploykit.targets.migration.plan import migration_trees, migrations_of
from deploykit.targets.migration.resume import with_begun


@dataclass(frozen=True)
class Outlook:
    """The commit, what runs, what is recorded, and what the registry has."""

    chosen: tuple[str, ...]
    source: Source
    observed: Mapping[str, ObservedService]
    ledger: Ledger
    stock: Mapping[str, Stock]


def look(order: DeployRequest, world: World) -> Outlook:
    """Read, and decide nothing. Raises: FailedBefore (what must be there is not), OutOfReach."""
    return look_at(identify(order, chosen_services(order.configuration, order.services)), order, world)


def look_at(source: Source, order: DeployRequest, world: World) -> Outlook:
    """What AWS tells about a release of ``source``. Raises as ``look`` does."""
    configuration = order.configuration
    chosen = chosen_services(configuration, order.services)
    observed = with_newer(observe(configuration, world.aws), world.aws, chosen, world.progress)
    ledger = read_ledger(configuration, world.aws, world.progress)
    if ledger.store is None:
        ledger = replace(ledger, entries=told_by_tags(configuration, world.aws, observed, world.progress))
    stock = take_stock(order, world, source, chosen, observed)
    return Outlook(chosen, source, observed, ledger, stock)


def look_again(order: DeployRequest, world: World, seen: Outlook) -> Mapping[str, ObservedService]:
    """What runs by now: a build takes minutes, in which others may have released."""
    observed = observe(order.configuration, world.aws, seen.observed)
    return with_newer(observed, world.aws, seen.chosen, world.progress)


def refusals(order: DeployRequest, world: World, seen: Outlook) -> list[FailedBefore | Refused]:
    """Everything that `deploy` would refuse, in the order in which it would."""
    configuration = order.configuration
    found: list[FailedBefore | Refused] = []

    def ask(refuse: Callable[[], object]) -> None:
        try:
            refuse()
        except (FailedBefore, Refused) as refusal:
            found.append(refusal)

    if order.revision is None and not order.allow_dirty:
        ask(lambda: refuse_uncommitted(seen.source.repository, configuration, seen.chosen))
    ask(lambda: refuse_unrollable(seen.observed, seen.chosen))
    ask(lambda: refuse_other_environments(configuration, seen.observed, seen.chosen))
    ask(lambda: migration_trees(configuration, seen.source, seen.chosen))
    ask(lambda: refuse_older(order, seen.source, seen.observed, world.progress))
    ask(lambda: refuse_withdrawn(order, seen.source.commit, seen.ledger.entries))
    return [*found, *image_refusals(order, seen.source, seen.stock, seen.observed)]


def plan_of(
    order: DeployRequest,
    world: World,
    seen: Outlook,
    observed: Mapping[str, ObservedService],
    supplies: Mapping[str, Supply],
) -> tuple[Plan, LedgerEntry | None]:
    """The plan, and the unfinished entry that it goes on with. Raises: FailedBefore."""
    configuration, commit = order.configuration, seen.source.commit
    release = seen.ledger.new_id(world.clock.now(), commit.sha)
    plan = plan_deploy(configuration, observed, commit, supplies, release, order.command)
    plan, unfinished = resumed(plan, configuration, seen.ledger, world) or (plan, None)
    return with_begun(plan, planned_migrations(order, seen, plan), world.aws), unfinished


def planned_migrations(order: DeployRequest, seen: Outlook, plan: Plan) -> list[PlannedMigration]:
    """What becomes of each service's migration; nothing where a path is not there, which stands among the refusals."""
    try:
        return migrations_of(order.configuration, seen.source, plan, seen.ledger, force=order.force)
    except FailedBefore:
        return []


def decided(order: DeployRequest, seen: Outlook) -> dict[str, Supply]:
    """Build, reuse or keep, for each chosen service whose image is not among the refusals."""
    return decide(order, seen.source, seen.stock, seen.observed)
