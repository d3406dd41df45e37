"""``deploykit rollback``: find where to go, see that it would start, go there. No git, no Docker, no GitHub."""

from __future__ import annotations

from dataclasses import dataclass, replace

from deploykit.deploy.hold import freeze_first, with_hold_hint
from deploykit.deploy.lease import Held, lease_of, logging
from deploykit.deploy.plan import plan_rollback
from deploykit.deploy.prove import prove
from deploykit.deploy.request import RollbackRequest
from deploykit.deploy.resume import resumed_rollback
from deploykit.deploy.run import Prepared, begin, finish, run_of, unchanged
from deploykit.deploy.source import chosen_services, refuse_other_environments, refuse_unrollable
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.lease import read_lease
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, Interrupted, Problem, Refused
from deploykit.ledger.choose import Destination
from deploykit.ledger.journal import Steps, new_entry
from deploykit.ledger.read import Ledger, find_destination
from deploykit.ledger.store import open_store
from deploykit.model.finding import errors, one_line, warnings
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.model.release import short as short_sha
from deploykit.model.release import typed
from deploykit.model.report import RunReport
from deploykit.preflight.release import startable
from deploykit.targets.cdn.release import invalidate
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.observe import active_copy, observe
from deploykit.targets.ecs.release import roll_out
from deploykit.targets.migration.crossing import refuse_to_cross
from deploykit.targets.migration.release import Migrated


def rollback(request: RollbackRequest, world: World) -> RunReport:
    """Back to the last verified release, or to the one named; it is never undone by itself.

    Raises: FailedBefore (no release to go to; its image, secrets or roles are gone), Refused, OutOfReach, Interrupted.
    """
    configuration, steps = request.configuration, Steps(world.clock, world.progress)
    store = open_store(configuration.state, world.aws, configuration.root)
    with logging(store, request.command, request.to, world):
        asked = _plan(request, world) if request.confirm else None
    if asked and not asked.plan.empty:
        _confirm(request, asked, world)
    with lease_of(request, world, store, asked.plan.sha if asked else None) as held:
        way = _plan(request, held.world, held.left)
        freeze_first(request, world, store)
        if way.plan.empty:
            return unchanged(way.plan, steps, way.ledger)
        _announce(way, world, asked)
        with run_of(_prepared(request, way, held), held, steps) as run:
            begin(run)
            rolled = roll_out(run)
            emptied = invalidate(run, run.plan.invalidations if rolled.complete else (), "release")
            proven = prove(run, rolled, None)
            return with_hold_hint(request, finish(run, Migrated(), rolled, emptied, proven))


@dataclass(frozen=True)
class _Way:
    """Where to go, and the way there; ``unfinished``: the ledger entry of the rollback that it continues."""

    plan: Plan
    destination: Destination
    ledger: Ledger
    unfinished: LedgerEntry | None


def _plan(request: RollbackRequest, world: World, left: str | None = None) -> _Way:
    """From what runs, wherever another run meant to go. Raises as ``rollback`` does."""
    configuration = request.configuration
    chosen = [key for key in chosen_services(configuration, request.services) if configuration.services[key].service]
    observed = observe(configuration, world.aws)
    refuse_unrollable(observed, chosen)
    refuse_other_environments(configuration, observed, chosen)
    destination, ledger, unfinished = find_destination(
        configuration, world.aws, observed, world.progress, request.to, request.services, left
    )
    if request.to is None and unfinished is None:
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
    definitions = {
        key: definition if definition.active else active_copy(world.aws, definition) or definition
        for key, definition in _startable(destination, request, world).items()
    }
    release = ledger.new_id(world.clock.now(), destination.sha or "")
    plan = plan_rollback(configuration, observed, destination, definitions, release)
    if unfinished is not None:
        plan = resumed_rollback(plan, configuration, unfinished, world)
    return _Way(plan, destination, ledger, unfinished)


def _prepared(request: RollbackRequest, way: _Way, held: Held) -> Prepared:
    destination, plan = way.destination, way.plan
    entry = way.unfinished or new_entry(plan, "rollback", held.world, request.reason, asked=request.services)
    name = typed(destination.sha) if destination.sha else destination.release
    again = command("rollback", *request.services, "--to", name)
    resumes = way.unfinished is not None
    ledger = way.ledger if held.lease else replace(way.ledger, store=None)  # what cannot be locked cannot be written
    return Prepared(request.configuration, plan, ledger, held.noted(entry), again, request.deadline, resumes=resumes)


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


def _confirm(request: RollbackRequest, way: _Way, world: World) -> None:
    """Say where it goes and ask. Raises: Interrupted where the answer is no."""
    _announce(way, world)
    if request.take_over:
        seen = read_lease(way.ledger.store.objects) if way.ledger.store else None
        if seen and not seen.expired:
            world.progress.warn(f"this takes the deploy lock from {seen.lease.described}")
    if request.confirm is not None and not request.confirm("go back?"):
        raise Interrupted("nothing was changed", Hint(command("rollback", "--yes"), " goes back without asking"))


def _announce(way: _Way, world: World, asked: _Way | None = None) -> None:
    """Say where it goes, unless that was ``asked`` already. Raises: Refused where it is another place by now."""
    destination = way.destination
    if asked is not None and asked.destination.release == destination.release:
        return
    if asked is not None:
        raise Refused(
            f"what runs has changed since the question: the rollback would go to {destination.release} now",
            Hint(command("rollback"), " again asks anew"),
        )
    for note in destination.notes:
        world.progress.warn(note)
    verdict = f", {destination.entry.verdict}" if destination.entry.verdict else ""
    world.progress.say(f"going back to {short_sha(destination.sha or '')} (release {destination.release}{verdict})")
    for key, change in way.plan.changes.items():
        to = short(change.to.arn) if change.to else "its revision, registered again"
        world.progress.say(f"{short(way.plan.observed[key].definition.arn)} → {to}", key)
