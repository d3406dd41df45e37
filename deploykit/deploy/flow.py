"""The commands, read top to bottom: identify, look, supply, decide, act, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from deploykit.config.schema import Configuration
from deploykit.deploy.entries import new_entry, read_ledger
from deploykit.deploy.execute import Execution, Intent
from deploykit.deploy.judging import check as checking
from deploykit.deploy.judging.proof import Proof
from deploykit.deploy.observe import observe, refuse_other_environments, refuse_unrollable
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.plan import plan_deploy
from deploykit.deploy.record import Record, Steps
from deploykit.deploy.resuming import resumed
from deploykit.deploy.returning.run import rollback as rollback
from deploykit.deploy.single import build_only, invalidate_only, push_only
from deploykit.deploy.source import chosen_services, identify, refuse_older, refuse_withdrawn
from deploykit.deploy.supply import supply
from deploykit.deploy.unchanged import unchanged
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.model.plan import released_service
from deploykit.model.release import ReleasedService
from deploykit.model.report import RunReport

Step = Literal["build", "push", "rollout", "invalidate"]


def deploy(order: DeployOrder, edges: Edges) -> RunReport:
    """The whole run: the commit to what users see, proven there, or what ran before put back.

    Raises: DeploykitError before anything that runs was touched; Interrupted at any time.
    """
    return _release(order, edges, Intent(undo=order.undo, deadline=order.deadline))


def run_step(step: Step, order: DeployOrder, edges: Edges) -> RunReport:
    """One step of the runbook by itself. Raises as ``deploy`` does."""
    if step == "rollout":
        return _release(order, edges, Intent(invalidate=False, check=False, undo=order.undo, deadline=order.deadline))
    return {"build": build_only, "push": push_only, "invalidate": invalidate_only}[step](order, edges)


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
    configuration, steps = order.configuration, Steps(edges.clock, edges.progress)
    chosen = chosen_services(configuration, order.services)
    source = identify(order, chosen)
    observed, ledger = observe(configuration, edges.aws), read_ledger(configuration, edges.aws, edges.progress)
    refuse_unrollable(observed, chosen)
    refuse_other_environments(configuration, observed, chosen)
    refuse_older(order, source, observed, edges.progress)
    refuse_withdrawn(order, source.commit, ledger.entries)
    images, slow = supply(order, edges, source, chosen, observed, steps)
    observed = observe(configuration, edges.aws) if slow else observed
    release = ledger.new_id(edges.clock.now(), source.commit.sha)
    plan = plan_deploy(configuration, observed, source.commit, images, chosen, release, order.command)
    going_on = resumed(plan, configuration, ledger, edges)
    plan, entry = going_on or (plan, new_entry(plan, order.command, edges))
    if plan.empty:
        return unchanged(plan, steps, ledger)
    record = Record(ledger.store, entry, edges.clock, edges.progress, resumes=going_on is not None)
    return Execution(plan, intent, configuration, edges, record, steps).run()
