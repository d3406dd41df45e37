"""``deploykit migrate``: the migrations of a commit by themselves, in a ledger entry without a verdict."""

from __future__ import annotations

from dataclasses import replace

from deploykit.deploy.facts import decided, look, look_again, plan_of, refusals
from deploykit.deploy.images import bring
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services
from deploykit.edges.clock import Deadline
from deploykit.edges.world import World
from deploykit.errors import ExitCode, Interrupted, UsageError
from deploykit.ledger.entries import new_entry
from deploykit.ledger.journal import Record, Steps
from deploykit.model.hint import Command, Hint
from deploykit.model.observed import ServiceName
from deploykit.model.plan import Change, Plan
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import Ending, RunReport
from deploykit.preflight.release import preflight, refuse
from deploykit.targets.ecs.rolling import Rolling
from deploykit.targets.ecs.rollouts import Rollouts
from deploykit.targets.migration.plan import migrations_of
from deploykit.targets.migration.release import Migrating
from deploykit.targets.sequence import order_of


def migrate_only(order: DeployRequest, world: World) -> RunReport:
    """Run the migrations that a deploy of the commit would run; nothing is rolled out.

    Raises: UsageError (a service without a migration was named), FailedBefore, OutOfReach, Refused, Interrupted.
    """
    configuration, steps = order.configuration, Steps(world.clock, world.progress)
    wanted = _with_migration(order)
    roll_out = order.then("rollout")
    order = replace(order, services=wanted)
    if not wanted:
        return RunReport(Outcome.UNCHANGED, ExitCode.OK, ReleaseSummary(None, None), message="no service has `migrate`")
    seen = look(order, world)
    if refused := refusals(order, world, seen):
        raise refused[0]
    supplies = bring(order, world, seen.source, seen.stock, decided(order, seen), steps)
    built = any(supply.action == "build" for supply in supplies.values())
    observed = look_again(order, world, seen) if built else seen.observed
    plan, _ = plan_of(order, world, seen, observed, supplies)
    if order.force:
        plan = _also_as_they_run(plan, order)
    found = migrations_of(configuration, seen.source, plan, seen.ledger, force=order.force)
    planned = [item for item in found if item.service in wanted]
    record = Record(seen.ledger.store, new_entry(plan, order.command, world), world.clock, world.progress)
    deadline = Deadline(world.clock, order.deadline)
    rolling = Rolling(world.aws, plan, Rollouts(world.aws, deadline, 1, world.progress))
    migrating = Migrating(configuration, world, record, rolling, planned)
    if all(item.action == "skip" for item in planned):
        migrating.run(steps, deadline)
        ending = Ending(Outcome.UNCHANGED, ExitCode.OK, None, f"nothing to migrate: {_why(migrating)}")
        return _report(ending, plan, migrating, steps, release=None)
    ahead = preflight(configuration, world.aws, plan)
    for warning in ahead.warnings:
        world.progress.warn(warning)
    refuse(ahead)
    record.open()
    outcome = Outcome.FAILED
    try:
        ending = _ending(migrating, roll_out) if migrating.run(steps, deadline) else migrating.ending()
        outcome = ending.outcome
    except KeyboardInterrupt as interrupt:
        outcome = Outcome.INTERRUPTED
        left = migrating.left() or "nothing was changed"
        raise Interrupted(f"interrupted; {left}", Hint(order.again, " continues")) from interrupt
    finally:
        record.close(outcome=outcome, steps=tuple(steps.taken))
    return _report(ending, plan, migrating, steps, release=plan.release)


def _with_migration(order: DeployRequest) -> tuple[str, ...]:
    services = order.configuration.services
    chosen = chosen_services(order.configuration, order.services)
    without = [key for key in order.services if services[key].migrate is None or services[key].service is None]
    if without:
        raise UsageError(
            f"{', '.join(without)}: no migration is configured",
            f'[services.{without[0]}] needs `migrate = {{ command = ["…"] }}` (and `service`)',
        )
    return tuple(key for key in chosen if services[key].migrate and services[key].service)


def _also_as_they_run(plan: Plan, order: DeployRequest) -> Plan:
    """Services whose image does not change migrate in the very revision that they run."""
    changes = dict(plan.changes)
    for key, service in plan.observed.items():
        if key in order.services and key not in changes:
            name = ServiceName(key, service.state.cluster, service.state.name)
            changes[key] = Change(
                name, service.container, service.definition, service.sha, service.image, to=service.definition
            )
    return replace(plan, changes=changes, order=order_of(order.configuration, changes))


def _why(migrating: Migrating) -> str:
    return "; ".join(f"{item.service}: {item.reason}" for item in migrating.planned)


def _ending(migrating: Migrating, roll_out: Command) -> Ending:
    message = f"migrated {', '.join(migrating.done)}"
    return Ending(Outcome.DEPLOYED, ExitCode.OK, None, message, Hint(roll_out, " brings the images to ECS"))


def _report(ending: Ending, plan: Plan, migrating: Migrating, steps: Steps, release: str | None) -> RunReport:
    return RunReport(
        outcome=ending.outcome,
        exit_code=ending.code,
        release=ReleaseSummary(release, plan.sha, plan.previous_sha),
        services=plan.released(),
        findings=(migrating.finding(),) if migrating.failed else (),
        steps=tuple(steps.taken),
        message=ending.message,
        hint=ending.hint,
    )
