"""The commands, read top to bottom: identify, look, supply, decide, act, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from deploykit.commands.build import build_only, push_only
from deploykit.commands.invalidate import invalidate_only
from deploykit.commands.migrate import migrate_only
from deploykit.commands.rollback import rollback as rollback
from deploykit.config.schema import Configuration
from deploykit.deploy.execute import Execution, Intent
from deploykit.deploy.facts import decided, look, look_again, plan_of, refusals
from deploykit.deploy.images import bring, name_images
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.unchanged import unchanged
from deploykit.deploy.way_back import with_way_back
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.judge import check as checking
from deploykit.judge.site import Proof
from deploykit.ledger.entries import new_entry
from deploykit.ledger.journal import Record, Steps
from deploykit.model.plan import released_service
from deploykit.model.release import ReleasedService
from deploykit.model.report import RunReport
from deploykit.preflight.release import preflight, refuse
from deploykit.targets.ecs.observe import observe
from deploykit.targets.migration.plan import left_out, migrations_of

Step = Literal["build", "push", "migrate", "rollout", "invalidate"]


def deploy(order: DeployRequest, world: World) -> RunReport:
    """The whole run: the commit to what users see, proven there, or what ran before put back.

    Raises: DeploykitError before anything that runs was touched; Interrupted at any time.
    """
    return _release(order, world, Intent(undo=order.undo, deadline=order.deadline, again=order.again))


def run_step(step: Step, order: DeployRequest, world: World) -> RunReport:
    """One step of the runbook by itself. Raises as ``deploy`` does."""
    if step == "rollout":
        intent = Intent(
            invalidate=False, check=False, migrate=False, undo=order.undo, deadline=order.deadline, again=order.again
        )
        return _release(order, world, intent)
    alone = {"build": build_only, "push": push_only, "migrate": migrate_only, "invalidate": invalidate_only}
    return alone[step](order, world)


def check(
    configuration: Configuration, endpoints: Sequence[str], rounds: int | None, world: World
) -> checking.CheckResult:
    """Is it healthy now? Versions are compared with what ECS runs where that can be looked up, else reported."""
    checks = checking.chosen(configuration.checks, endpoints)
    proof = Proof(configuration, world)
    return checking.check(
        checks, proof.versions(_running(configuration, world)), proof.ask, world.clock, world.progress, rounds
    )


def _running(configuration: Configuration, world: World) -> dict[str, ReleasedService]:
    try:
        return {key: released_service(service) for key, service in observe(configuration, world.aws).items()}
    except (OutOfReach, FailedBefore):
        return {}


def _release(order: DeployRequest, world: World, intent: Intent) -> RunReport:
    steps = Steps(world.clock, world.progress)
    seen = look(order, world)
    if refused := refusals(order, world, seen):
        raise refused[0]
    supplies = bring(order, world, seen.source, seen.stock, decided(order, seen), steps)
    built = any(supply.action == "build" for supply in supplies.values())
    observed = look_again(order, world, seen) if built else seen.observed
    plan, unfinished = plan_of(order, world, seen, observed, supplies)
    if plan.empty:
        return with_way_back(unchanged(plan, steps, seen.ledger), order.configuration, world, seen.ledger.entries)
    ahead = preflight(order.configuration, world.aws, plan)
    for warning in ahead.warnings:
        world.progress.warn(warning)
    refuse(ahead)
    name_images(seen.source.commit, supplies, plan.changes, world)
    entry = unfinished or new_entry(plan, order.command, world, commit=seen.source.commit)
    record = Record(seen.ledger.store, entry, world.clock, world.progress, resumes=unfinished is not None)
    migrations = migrations_of(order.configuration, seen.source, plan, seen.ledger)
    if not intent.migrate:
        migrations = left_out(migrations)
    report = Execution(plan, intent, order.configuration, world, record, steps, migrations).run()
    return with_way_back(report, order.configuration, world, [record.entry, *seen.ledger.entries])
