"""``deploykit rollback``: find where to go, see that it would start, go there. No git, no Docker, no GitHub."""

from __future__ import annotations

from deploykit.deploy.entries import Ledger, new_entry
from deploykit.deploy.execute import Execution, Intent
from deploykit.deploy.migrating.across import refuse_to_cross
from deploykit.deploy.observe import observe, refuse_other_environments, refuse_unrollable
from deploykit.deploy.orders import Edges, RollbackOrder
from deploykit.deploy.plan import plan_rollback
from deploykit.deploy.record import Record, Steps
from deploykit.deploy.returning.choose import Target
from deploykit.deploy.returning.recorded import find_target
from deploykit.deploy.returning.startable import definitions_of, startable
from deploykit.deploy.returning.way_back import with_way_back
from deploykit.deploy.source import chosen_services
from deploykit.deploy.unchanged import unchanged
from deploykit.errors import FailedBefore, Interrupted, Problem
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.model.release import short as short_sha
from deploykit.model.release import typed
from deploykit.model.report import RunReport
from deploykit.targets.ecs.definition import short


def rollback(order: RollbackOrder, edges: Edges) -> RunReport:
    """Back to the last verified release, or to the one named.

    Raises: FailedBefore (no release to go to; its image, secrets or roles are gone), Refused, OutOfReach, Interrupted.
    """
    configuration, steps = order.configuration, Steps(edges.clock, edges.progress)
    chosen = [key for key in chosen_services(configuration, order.services) if configuration.services[key].service]
    observed = observe(configuration, edges.aws)
    refuse_unrollable(observed, chosen)
    refuse_other_environments(configuration, observed, chosen)
    found = find_target(configuration, edges.aws, observed, edges.progress, order.to, order.services)
    target, ledger = found.target, Ledger(found.recorded.store, found.recorded.entries)
    if order.to is None:
        # entries that tags told have no author, and know of no migrations
        told = ledger.store is not None and bool(target.entry.by)
        refuse_to_cross(
            configuration, ledger.entries, target.entry, target.running, order.services, told_by_ledger=told
        )
    definitions = _startable(target, order, edges)
    release = ledger.new_id(edges.clock.now(), target.sha or "")
    plan = plan_rollback(configuration, observed, target, definitions, release)
    if plan.empty:
        return unchanged(plan, steps, ledger)
    _confirm(order, plan, target, edges)
    entry = new_entry(plan, "rollback", edges, order.reason)
    record = Record(ledger.store, entry, edges.clock, edges.progress)
    name = typed(target.sha) if target.sha else target.release
    again = " ".join(("deploykit rollback", *order.services, "--to", name))
    intent = Intent(undo=False, baseline=False, deadline=order.deadline, again=again)
    report = Execution(plan, intent, configuration, edges, record, steps).run()
    return with_way_back(report, configuration, edges, [record.entry, *ledger.entries])


def _startable(target: Target, order: RollbackOrder, edges: Edges) -> dict[str, Definition]:
    """The revisions to go to. Raises: FailedBefore naming everything they lack, before anything is touched."""
    configuration = order.configuration
    definitions, gone = definitions_of(edges.aws, target.revisions)
    found = startable(edges.aws, definitions, configuration.account, configuration.registry)
    for warning in found.warnings:
        edges.progress.warn(warning)
    if gone or found.problems:
        raise FailedBefore(
            f"release {target.release} would not start again",
            "bring back what is missing, or name another release: `deploykit history`, `deploykit rollback --to SHA`",
            problems=[Problem(text) for text in (*gone, *found.problems)],
        )
    return definitions


def _confirm(order: RollbackOrder, plan: Plan, target: Target, edges: Edges) -> None:
    for note in target.notes:
        edges.progress.warn(note)
    verdict = f", {target.entry.verdict}" if target.entry.verdict else ""
    edges.progress.say(f"going back to {short_sha(target.sha or '')} (release {target.release}{verdict})")
    for key, change in plan.changes.items():
        to = short(change.to.arn) if change.to else "its revision, registered again"
        edges.progress.say(f"{short(plan.observed[key].definition.arn)} → {to}", key)
    if order.confirm is not None and not order.confirm("go back?"):
        raise Interrupted("nothing was changed", "`deploykit rollback --yes` goes on without asking")
