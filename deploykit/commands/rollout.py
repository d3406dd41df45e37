"""``deploykit rollout``: one step of the runbook by itself, in a ledger entry without a verdict."""

from __future__ import annotations

from deploykit.deploy.lease import lease_of
from deploykit.deploy.prepare import decide, decide_again, prepare
from deploykit.deploy.prove import Proven
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.run import begin, finish, finish_undo, nothing_to_do, run_of
from deploykit.deploy.undo import undo
from deploykit.edges.world import World
from deploykit.ledger.journal import Steps
from deploykit.model.report import RunReport
from deploykit.targets.ecs.release import roll_out
from deploykit.targets.migration.plan import left_out
from deploykit.targets.migration.release import migrate


def rollout(request: DeployRequest, world: World) -> RunReport:
    """Roll out the commit's images; no migration, no invalidation, no check. Raises as ``deploy`` does."""
    steps = Steps(world.clock, world.progress)
    decided = decide(request, world, steps)
    if decided.plan.empty:
        return nothing_to_do(decided.plan, request.configuration, world, steps, decided.facts.ledger)
    with lease_of(request, world, decided.facts.ledger.store, decided.plan.sha) as held:
        decided = decide_again(request, held, decided)
        if decided.plan.empty:
            return nothing_to_do(decided.plan, request.configuration, world, steps, decided.facts.ledger)
        migrations = left_out(decided.migrations)
        with run_of(prepare(request, held, decided, migrations), held, steps) as run:
            begin(run)
            if run.undoes:
                return finish_undo(run, None, services_only=True)
            migrated = migrate(run, migrations)
            rolled = roll_out(run)
            steps.skip("invalidate")
            steps.skip("check")
            undone = undo(run, rolled, Proven(), None, wanted=request.undo, services_only=True)
            return finish(run, migrated, rolled, undone=undone)
