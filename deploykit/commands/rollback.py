"""``deploykit rollback``: find where to go, see that it would start, go there. No git, no Docker, no GitHub."""

from __future__ import annotations

from deploykit.deploy.plan import plan_rollback
from deploykit.deploy.prove import prove
from deploykit.deploy.request import RollbackRequest
from deploykit.deploy.run import Prepared, begin, finish, run_of, unchanged
from deploykit.deploy.source import chosen_services, refuse_other_environments, refuse_unrollable
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, Interrupted, Problem
from deploykit.ledger.choose import Destination
from deploykit.ledger.journal import Steps, new_entry
from deploykit.ledger.read import Ledger, find_destination
from deploykit.model.finding import errors, one_line, warnings
from deploykit.model.hint import Hint, command
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.model.release import short as short_sha
from deploykit.model.release import typed
from deploykit.model.report import RunReport
from deploykit.preflight.release import startable
from deploykit.targets.cdn.release import invalidate
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.observe import observe
from deploykit.targets.ecs.release import roll_out
from deploykit.targets.migration.crossing import refuse_to_cross
from deploykit.targets.migration.release import Migrated


def rollback(request: RollbackRequest, world: World) -> RunReport:
    """Back to the last verified release, or to the one named; it is never undone by itself.

    Raises: FailedBefore (no release to go to; its image, secrets or roles are gone), Refused, OutOfReach, Interrupted.
    """
    configuration, steps = request.configuration, Steps(world.clock, world.progress)
    plan, destination, ledger = _plan(request, world)
    if plan.empty:
        return unchanged(plan, steps, ledger)
    _confirm(request, plan, destination, world)
    entry = new_entry(plan, "rollback", world, request.reason)
    name = typed(destination.sha) if destination.sha else destination.release
    again = command("rollback", *request.services, "--to", name)
    with run_of(Prepared(configuration, plan, ledger, entry, again, request.deadline), world, steps) as run:
        begin(run)
        rolled = roll_out(run)
        emptied = invalidate(run, plan.invalidations if rolled.complete else (), "release")
        proven = prove(run, rolled, None)
        return finish(run, Migrated(), rolled, emptied, proven)


def _plan(request: RollbackRequest, world: World) -> tuple[Plan, Destination, Ledger]:
    """Where to go, and the way there. Raises as ``rollback`` does."""
    configuration = request.configuration
    chosen = [key for key in chosen_services(configuration, request.services) if configuration.services[key].service]
    observed = observe(configuration, world.aws)
    refuse_unrollable(observed, chosen)
    refuse_other_environments(configuration, observed, chosen)
    destination, ledger = find_destination(
        configuration, world.aws, observed, world.progress, request.to, request.services
    )
    if request.to is None:
        # entries that tags told have no author, and know of no migrations
        told = ledger.store is not None and bool(destination.entry.by)
        refuse_to_cross(
            configuration,
            ledger.entries,
            destination.entry,
            destination.running,
            request.services,
            told_by_ledger=told,
        )
    definitions = _startable(destination, request, world)
    release = ledger.new_id(world.clock.now(), destination.sha or "")
    return plan_rollback(configuration, observed, destination, definitions, release), destination, ledger


def _startable(destination: Destination, request: RollbackRequest, world: World) -> dict[str, Definition]:
    """The revisions to go to. Raises: FailedBefore naming everything they lack, before anything is touched."""
    configuration = request.configuration
    definitions, gone = definitions_of(world.aws, destination.revisions)
    found = startable(world.aws, definitions, configuration.account, configuration.registry)
    for warning in warnings(found):
        world.progress.warn(one_line(warning))
    if gone or errors(found):
        named = command("history"), ", ", command("rollback", "--to", "SHA")
        raise FailedBefore(
            f"release {destination.release} would not start again",
            Hint("bring back what is missing, or name another release: ", *named),
            problems=[Problem(text) for text in (*gone, *map(one_line, errors(found)))],
        )
    return definitions


def _confirm(request: RollbackRequest, plan: Plan, destination: Destination, world: World) -> None:
    for note in destination.notes:
        world.progress.warn(note)
    verdict = f", {destination.entry.verdict}" if destination.entry.verdict else ""
    world.progress.say(f"going back to {short_sha(destination.sha or '')} (release {destination.release}{verdict})")
    for key, change in plan.changes.items():
        to = short(change.to.arn) if change.to else "its revision, registered again"
        world.progress.say(f"{short(plan.observed[key].definition.arn)} → {to}", key)
    if request.confirm is not None and not request.confirm("go back?"):
        raise Interrupted("nothing was changed", Hint(command("rollback", "--yes"), " goes back without asking"))
