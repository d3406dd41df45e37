"""``deploykit deploy``: the commit to what users see, proven there, or what ran before restored."""

from __future__ import annotations

from deploykit.deploy.lease import lease_of
from deploykit.deploy.prepare import decide, decide_again, prepare
from deploykit.deploy.prove import baseline, prove
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.run import begin, finish, finish_undo, nothing_to_do, run_of
from deploykit.deploy.undo import undo
from deploykit.edges.world import World
from deploykit.ledger.journal import Steps
from deploykit.model.report import RunReport
from deploykit.targets.cdn.release import invalidate
from deploykit.targets.ecs.release import roll_out
from deploykit.targets.migration.release import migrate


def deploy(request: DeployRequest, world: World) -> RunReport:
    """The whole run. Raises: DeploykitError before anything that runs was touched; Interrupted at any time."""
    steps = Steps(world.clock, world.progress)
    decided = decide(request, world, steps)
    if decided.plan.empty:
        return nothing_to_do(decided.plan, request.configuration, world, steps, decided.facts.ledger)
    with lease_of(request, world, decided.facts.ledger.store, decided.plan.sha) as held:
        decided = decide_again(request, held, decided)
        if decided.plan.empty:
            return nothing_to_do(decided.plan, request.configuration, world, steps, decided.facts.ledger)
        with run_of(prepare(request, held, decided, decided.migrations), held, steps) as run:
            before = baseline(run)
            begin(run)
            if run.undoes:
                return finish_undo(run, before)
            migrated = migrate(run, decided.migrations)
            if migrated.failure:
                return finish(run, migrated)
            rolled = roll_out(run, migrated.registered)
            emptied = invalidate(run, run.plan.invalidations if rolled.complete else (), "release")
            proven = prove(run, rolled, before)
            undone = undo(run, rolled, proven, before, wanted=request.undo)
            return finish(run, migrated, rolled, emptied, proven, undone)
