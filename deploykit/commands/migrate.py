"""``deploykit migrate``: the migrations of a commit by themselves, in a ledger entry without a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deploykit.config.sequence import sequence_of
from deploykit.deploy.lease import lease_of
from deploykit.deploy.outcome import Ending, migration_failed
from deploykit.deploy.plan import as_it_runs
from deploykit.deploy.prepare import Decided, decide, decide_again, prepare
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.run import close, run_of
from deploykit.deploy.source import chosen_services
from deploykit.edges.world import World
from deploykit.errors import ExitCode, UsageError
from deploykit.ledger.journal import Steps
from deploykit.model.hint import Hint
from deploykit.model.migration import PlannedMigration
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.migration import release as migration
from deploykit.targets.migration.plan import migrations_of


def migrate(request: DeployRequest, world: World) -> RunReport:
    """Run the migrations that a deploy of the commit would run; nothing is rolled out.

    Raises: UsageError (a service without a migration was named), FailedBefore, OutOfReach, Refused, Interrupted.
    """
    steps, roll_out = Steps(world.clock, world.progress), request.then("rollout")
    wanted = _with_migration(request)
    if not wanted:
        return RunReport(Outcome.UNCHANGED, ExitCode.OK, ReleaseSummary(None, None), message="no service has `migrate`")
    request = replace(request, services=wanted)
    decided, planned = _decided(request, decide(request, world, steps))
    if all(item.action == "skip" for item in planned):
        return _nothing_to_migrate(decided.plan, planned, world, steps)
    with lease_of(request, world, decided.facts.ledger.store, decided.plan.sha) as held:
        decided, planned = _decided(request, decide_again(request, held, decided))
        if all(item.action == "skip" for item in planned):
            return _nothing_to_migrate(decided.plan, planned, world, steps)
        with run_of(prepare(request, held, decided, planned), held, steps) as run:
            run.journal.where.clear()  # nothing is rolled out: only the migrations have something to tell
            run.journal.note(changing=())
            run.journal.open()
            migrated = migration.migrate(run, planned)
            if migrated.failure:
                return close(run, migration_failed(migrated.failure), findings=(migrated.failure.finding,))
            hint = Hint(roll_out, " brings the images to ECS")
            return close(run, Ending(Outcome.DEPLOYED, ExitCode.OK, None, f"migrated {', '.join(migrated.done)}", hint))


def _decided(request: DeployRequest, decided: Decided) -> tuple[Decided, list[PlannedMigration]]:
    """What was decided, for the services to migrate alone; with ``--force`` for those that do not change, too."""
    found = decided.migrations
    if request.force:
        decided = replace(decided, plan=_also_as_they_run(decided.plan, request))
        facts = decided.facts
        found = migrations_of(request.configuration, facts.source, decided.plan, facts.ledger, force=True)
    return decided, [item for item in found if item.service in request.services]


def _with_migration(request: DeployRequest) -> tuple[str, ...]:
    services = request.configuration.services
    chosen = chosen_services(request.configuration, request.services)
    without = [key for key in request.services if services[key].migrate is None or services[key].service is None]
    if without:
        raise UsageError(
            f"{', '.join(without)}: no migration is configured",
            f'[services.{without[0]}] needs `migrate = {{ command = ["…"] }}` (and `service`)',
        )
    return tuple(key for key in chosen if services[key].migrate and services[key].service)


def _also_as_they_run(plan: Plan, request: DeployRequest) -> Plan:
    """Services whose image does not change migrate in the very revision that they run."""
    changes = dict(plan.changes)
    for key, service in plan.observed.items():
        if key in request.services and key not in changes:
            changes[key] = as_it_runs(service, service.definition)
    return replace(plan, changes=changes, sequence=sequence_of(request.configuration, changes))


def _nothing_to_migrate(plan: Plan, planned: Sequence[PlannedMigration], world: World, steps: Steps) -> RunReport:
    for item in planned:
        world.progress.say(f"migration skipped: {item.reason}", item.service)
    if planned:
        steps.skip("migrate")
    return RunReport(
        outcome=Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, plan.sha, plan.previous_sha),
        services=plan.released(),
        steps=tuple(steps.taken),
        message=f"nothing to migrate: {'; '.join(f'{item.service}: {item.reason}' for item in planned)}",
    )
