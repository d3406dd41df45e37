"""The commands, read top to bottom: identify, look, supply, decide, act, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from deploykit.config.schema import Configuration
from deploykit.deploy.entries import new_entry
from deploykit.deploy.execute import Execution, Intent
from deploykit.deploy.images import build_only, push_only
from deploykit.deploy.invalidate import invalidate_only
from deploykit.deploy.judging import check as checking
from deploykit.deploy.judging.proof import Proof
from deploykit.deploy.migrating.alone import migrate_only
from deploykit.deploy.migrating.decide import left_out, migrations_of
from deploykit.deploy.observe import observe
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.outlook import decided, look, look_again, plan_of, refusals
from deploykit.deploy.preflight import preflight, refuse
from deploykit.deploy.record import Record, Steps
from deploykit.deploy.returning.run import rollback as rollback
from deploykit.deploy.returning.way_back import with_way_back
from deploykit.deploy.supply import bring, name_images
from deploykit.deploy.unchanged import unchanged
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.model.plan import released_service
from deploykit.model.release import ReleasedService
from deploykit.model.report import RunReport

Step = Literal["build", "push", "migrate", "rollout", "invalidate"]


def deploy(order: DeployOrder, edges: Edges) -> RunReport:
    """The whole run: the commit to what users see, proven there, or what ran before put back.

    Raises: DeploykitError before anything that runs was touched; Interrupted at any time.
    """
    return _release(order, edges, Intent(undo=order.undo, deadline=order.deadline, again=order.again))


def run_step(step: Step, order: DeployOrder, edges: Edges) -> RunReport:
    """One step of the runbook by itself. Raises as ``deploy`` does."""
    if step == "rollout":
        intent = Intent(
            invalidate=False, check=False, migrate=False, undo=order.undo, deadline=order.deadline, again=order.again
        )
        return _release(order, edges, intent)
    alone = {"build": build_only, "push": push_only, "migrate": migrate_only, "invalidate": invalidate_only}
    return alone[step](order, edges)


def check(
    configuration: Configuration, endpoints: Sequence[str], rounds: int | None, edges: Edges
) -> checking.CheckResult:
    """Is it healthy now? Versions are compared with what ECS runs where that can be looked up, else reported."""
    checks = checking.chosen(configuration.checks, endpoints)
    proof = Proof(configuration, edges)
    return checking.check(
        checks, proof.versions(_running(configuration, edges)), proof.ask, edges.clock, edges.progress, rounds
    )


def _running(configuration: Configuration, edges: Edges) -> dict[str, ReleasedService]:
    try:
        return {key: released_service(service) for key, service in observe(configuration, edges.aws).items()}
    except (OutOfReach, FailedBefore):
        return {}


def _release(order: DeployOrder, edges: Edges, intent: Intent) -> RunReport:
    steps = Steps(edges.clock, edges.progress)
    seen = look(order, edges)
    if refused := refusals(order, edges, seen):
        raise refused[0]
    supplies = bring(order, edges, seen.source, seen.stock, decided(order, seen), steps)
    built = any(supply.action == "build" for supply in supplies.values())
    observed = look_again(order, edges, seen) if built else seen.observed
    plan, unfinished = plan_of(order, edges, seen, observed, supplies)
    if plan.empty:
        return with_way_back(unchanged(plan, steps, seen.ledger), order.configuration, edges, seen.ledger.entries)
    ahead = preflight(order.configuration, edges.aws, plan)
    for warning in ahead.warnings:
        edges.progress.warn(warning)
    refuse(ahead)
    name_images(seen.source.commit, supplies, plan.changes, edges)
    entry = unfinished or new_entry(plan, order.command, edges, commit=seen.source.commit)
    record = Record(seen.ledger.store, entry, edges.clock, edges.progress, resumes=unfinished is not None)
    migrations = migrations_of(order.configuration, seen.source, plan, seen.ledger)
    if not intent.migrate:
        migrations = left_out(migrations)
    report = Execution(plan, intent, order.configuration, edges, record, steps, migrations).run()
    return with_way_back(report, order.configuration, edges, [record.entry, *seen.ledger.entries])
