"""``deploykit rollback``: find where to go, see that it would start, go there. No git, no Docker, no GitHub."""

from __future__ import annotations

from deploykit.deploy.execute import Execution, Intent
from deploykit.deploy.plan import plan_rollback
from deploykit.deploy.request import RollbackRequest
from deploykit.deploy.source import chosen_services
from deploykit.deploy.unchanged import unchanged
from deploykit.deploy.way_back import with_way_back
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, Interrupted, Problem
from deploykit.ledger.choose import Target, typed
from deploykit.ledger.entries import Ledger, new_entry
from deploykit.ledger.journal import Record, Steps
from deploykit.ledger.read import find_target
from deploykit.model.hint import Hint, command
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.model.report import RunReport
from deploykit.preflight.startable import startable
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.observe import observe, refuse_other_environments, refuse_unrollable
from deploykit.targets.migration.crossing import refuse_to_cross


def rollback(order: RollbackRequest, world: World) -> RunReport:
    """Back to the last verified release, or to the one named.

    Raises: FailedBefore (no release to go to; its image, secrets or roles are gone), Refused, OutOfReach, Interrupted.
    """
    configuration, steps = order.configuration, Steps(world.clock, world.progress)
    chosen = [key for key in chosen_services(configuration, order.services) if configuration.services[key].service]
    observed = observe(configuration, world.aws)
    refuse_unrollable(observed, chosen)
    refuse_other_environments(configuration, observed, chosen)
    found = find_target(configuration, world.aws, observed, world.progress, order.to, order.services)
    target, ledger = found.target, Ledger(found.recorded.store, found.recorded.entries)
    if order.to is None:
        # entries that tags told have no author, and know of no migrations
        told = ledger.store is not None and bool(target.entry.by)
        refuse_to_cross(
            configuration, ledger.entries, target.entry, target.running, order.services, told_by_ledger=told
        )
    definitions = _startable(target, order, world)
    release = ledger.new_id(world.clock.now(), target.sha or "")
    plan = plan_rollback(configuration, observed, target, definitions, release)
    if plan.empty:
        return unchanged(plan, steps, ledger)
    _confirm(order, plan, target, world)
    entry = new_entry(plan, "rollback", world, order.reason)
    record = Record(ledger.store, entry, world.clock, world.progress)
    again = command("rollback", *order.services, "--to", typed(target.sha or target.release))
    intent = Intent(undo=False, baseline=False, deadline=order.deadline, again=again)
    report = Execution(plan, intent, configuration, world, record, steps).run()
    return with_way_back(report, configuration, world, [record.entry, *ledger.entries])


def _startable(target: Target, order: RollbackRequest, world: World) -> dict[str, Definition]:
    """The revisions to go to. Raises: FailedBefore naming everything they lack, before anything is touched."""
    configuration = order.configuration
    definitions, gone = definitions_of(world.aws, target.revisions)
    found = startable(world.aws, definitions, configuration.account, configuration.registry)
    for warning in found.warnings:
        world.progress.warn(warning)
    if gone or found.problems:
        raise FailedBefore(
            f"release {target.release} would not start again",
            Hint(
                "bring back what is missing, or name another release: ",
                command("history"),
                ", ",
                command("rollback", "--to", "SHA"),
            ),
            problems=[Problem(text) for text in (*gone, *found.problems)],
        )
    return definitions


def _confirm(order: RollbackRequest, plan: Plan, target: Target, world: World) -> None:
    for note in target.notes:
        world.progress.warn(note)
    verdict = f", {target.entry.verdict}" if target.entry.verdict else ""
    world.progress.say(f"going back to {(target.sha or '')[:7]} (release {target.release}{verdict})")
    for key, change in plan.changes.items():
        to = short(change.to.arn) if change.to else "its revision, registered again"
        world.progress.say(f"{short(plan.observed[key].definition.arn)} → {to}", key)
    if order.confirm is not None and not order.confirm("go back?"):
        raise Interrupted("nothing was changed", Hint(command("rollback", "--yes"), " goes on without asking"))
