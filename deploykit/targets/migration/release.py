"""Run the planned migrations, one after the other, and write each step down before the next one depends on it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from deploykit.config.service import Migrate
from deploykit.edges.aws.session import AwsUnreachable
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Run, timestamp
from deploykit.model.finding import Finding
from deploykit.model.hint import Command, Hint, command
from deploykit.model.migration import MigrationOutcome, MigrationRecord, PlannedMigration
from deploykit.model.observed import Definition
from deploykit.model.task import Task
from deploykit.targets.ecs.release import register
from deploykit.targets.migration.resume import Attempt, begun_attempt
from deploykit.targets.migration.task import (
    OneOff,
    TaskEnd,
    client_token,
    follow,
    start,
    started_by,
    tasks_of,
    wait_for_others,
)

# outcome → what happened, and what to do about it
_WORDS: dict[MigrationOutcome | None, tuple[str, str]] = {
    "failed": ("failed", "fix it, then {again}: the services still run what they ran"),
    "not_started": ("never started", "{again} once what ECS names is there; the database was not touched"),
    "stopped": ("was stopped from outside", "see what it had done by then; {again} runs it again"),
    "timed_out": ("took too long", "see what it had done by then; a longer `migrate.timeout` lets it finish"),
    None: ("was not seen to end", "{again} looks for it first, and continues with it"),
}


@dataclass(frozen=True)
class MigrationFailure:
    """The migration that ended the run, and how; ``again`` tries again."""

    service: str
    end: TaskEnd
    again: Command

    @property
    def summary(self) -> str:
        return f"the migration of {self.service} {_WORDS[self.end.outcome][0]}"

    @property
    def hint(self) -> str:
        before, again, after = _WORDS[self.end.outcome][1].partition("{again}")
        return Hint(before, self.again, after) if again else before

    @property
    def finding(self) -> Finding:
        """The failed migration with its last words."""
        return Finding(
            id=f"migration-{(self.end.outcome or 'unseen').replace('_', '-')}",
            severity="error",
            confidence="high" if self.end.outcome else "medium",
            subject=self.service,
            summary=f"{self.summary} ({self.end.reason})",
            evidence=(*self.end.evidence, *(f"log: {line}" for line in self.end.lines)),
            hint=self.hint,
        )


@dataclass(frozen=True)
class Migrated:
    """What became of a run's migrations. ``registered``: the revisions that they needed, by service."""

    done: tuple[str, ...] = ()
    failure: MigrationFailure | None = None
    registered: Mapping[str, Definition] = field(default_factory=dict)


def migrate(run: Run, planned: Sequence[PlannedMigration]) -> Migrated:
    """Run what is to run of ``planned``; nothing is begun after one that failed.

    Raises: DeploykitError only while nothing may have touched a database.
    """
    for item in planned:
        if item.action == "skip":
            run.world.progress.say(f"migration skipped: {item.reason}", item.service)
    wanted = [item for item in planned if item.action == "run"]
    if not wanted:
        if planned:
            run.steps.skip("migrate")
        return Migrated()
    done: list[str] = []
    failure: MigrationFailure | None = None
    registered: dict[str, Definition] = {}
    with run.steps.step("migrate"):
        for item in wanted:
            try:
                begin = _begin(run, item)
                if isinstance(begin, OneOff):
                    registered[item.service] = begin.definition
                    end = _start(run, item, begin)
                else:
                    end = begin if isinstance(begin, TaskEnd) else _adopt(run, item, begin)
            except DeploykitError as error:
                if not run.journal.migrated:  # then this is a command that failed before anything was touched
                    raise
                end = TaskEnd("not_started", error.message)
            else:
                _ended(run, item, end)
            if end.outcome != "succeeded":
                failure = MigrationFailure(item.service, end, command(run.journal.entry.command))
                break
            done.append(item.service)
    if failure:
        run.steps.mark("migrate", "failed")
    return Migrated(tuple(done), failure, registered)


def _begin(run: Run, item: PlannedMigration) -> OneOff | Attempt | TaskEnd:
    """What is to be started; or what an earlier run has begun; or the end, where another one is in its way."""
    change, observed, world = run.plan.changes[item.service], run.plan.observed[item.service], run.world
    migration = _migration(run, item)
    known = tasks_of(world.aws, change.name, observed.definition.family)
    command = tuple(migration.command)
    earlier = begun_attempt(world.aws, item, change, observed, command, known)
    if earlier is not None:
        if earlier.continues:
            return earlier
        said = earlier.end.reason if earlier.end else ""
        world.progress.say(f"the attempt before ended badly ({said}); trying again", item.service)
    one_off = OneOff(change.name, observed.state.placing, register(world.aws, change), change.container, command)
    running = [task for task in known if task.status != "STOPPED"]
    waiting = Deadline(world.clock, min(migration.timeout, run.deadline.left))
    if still := wait_for_others(world.aws, running, one_off, waiting, world.progress):
        return TaskEnd("not_started", f"task {still}, another migration of this service, still runs")
    return one_off


def _start(run: Run, item: PlannedMigration, one_off: OneOff) -> TaskEnd:
    world, release = run.world, run.journal.entry.id
    deadline = Deadline(world.clock, min(_migration(run, item).timeout, run.deadline.left))
    before = run.journal.entry.migrations.get(item.service)
    attempt = before.attempt + 1 if before is not None and before.release == release else 1
    # written before RunTask: a run that is killed in between leaves a trace of what it was about to start
    _note_attempt(run, item, attempt, one_off.definition.arn, timestamp(world.clock.now()))
    run.journal.save()
    world.progress.say(f"migrating ({item.reason}): {shlex.join(one_off.command)}", item.service)
    service = run.plan.observed[item.service].state.arn

    def token(ask: int) -> str:
        return client_token(release, service, attempt, ask)

    try:
        task = start(world.aws, one_off, started_by(release, item.service), token, deadline, world.progress)
    except AwsUnreachable as trouble:
        return TaskEnd(None, f"whether it started is not known ({trouble.message})")
    except DeploykitError:
        _note(run, item, outcome="not_started")
        run.journal.save()
        raise
    if isinstance(task, TaskEnd):
        return task
    _note(run, item, task=task.arn)
    run.journal.save()
    return _followed(run, item, one_off, task, deadline)


def _adopt(run: Run, item: PlannedMigration, earlier: Attempt) -> TaskEnd:
    """Continue with the task that an earlier run left behind, or take its good end."""
    world, pending, task = run.world, item.pending, earlier.task
    attempt, started = (pending.attempt, pending.started) if pending else (1, "")
    _note_attempt(run, item, attempt, task.task_definition, started, task.arn)
    run.journal.save()
    if earlier.end is not None:
        world.progress.say(f"task {task.id} of an earlier run has done it", item.service)
        return earlier.end
    world.progress.say(f"continuing with task {task.id}, which an earlier run began", item.service)
    ran = (world.clock.now() - task.created).total_seconds() if task.created else 0.0
    left = max(0.0, _migration(run, item).timeout - ran)
    return _followed(run, item, earlier.one_off, task, Deadline(world.clock, min(left, run.deadline.left)))


def _followed(run: Run, item: PlannedMigration, one_off: OneOff, task: Task, deadline: Deadline) -> TaskEnd:
    run.journal.migration_started(item.service, task.arn)
    with run.journal.waiting():
        return follow(run.world.aws, one_off, task, deadline, run.world.progress)


def _ended(run: Run, item: PlannedMigration, end: TaskEnd) -> None:
    run.journal.migration_ended()
    _note(run, item, outcome=end.outcome, exit_code=end.exit_code)
    run.journal.save()
    run.world.progress.say(f"migration {end.outcome or 'not seen to end'}: {end.reason}", item.service)


def _note_attempt(
    run: Run, item: PlannedMigration, attempt: int, definition: str, started: str, task: str | None = None
) -> None:
    image, journal = run.plan.changes[item.service].image or "", run.journal
    fresh = MigrationRecord(journal.entry.id, item.tree, image, None, attempt, definition, task, None, started)
    journal.note(migrations={**journal.entry.migrations, item.service: fresh})


def _note(run: Run, item: PlannedMigration, **facts: object) -> None:
    entry = run.journal.entry
    known = entry.migrations.get(item.service)
    if known is not None and known.release == entry.id:
        changed = replace(known, **facts)  # type: ignore[arg-type]  # fields by name
        run.journal.note(migrations={**entry.migrations, item.service: changed})


def _migration(run: Run, item: PlannedMigration) -> Migrate:
    found = run.configuration.services[item.service].migrate
    if found is None:
        raise ValueError(f"service {item.service} has no migration")
    return found
