"""Run the planned migrations, one after the other, and write each step down before the next one depends on it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from deploykit.config.schema import Configuration
from deploykit.config.service import Migrate
from deploykit.edges.aws.session import AwsUnreachable
from deploykit.edges.clock import Deadline
from deploykit.edges.world import World
from deploykit.errors import DeploykitError, ExitCode
from deploykit.ledger.journal import Record, Steps, timestamp
from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, command
from deploykit.model.migration import MigrationOutcome, MigrationRecord, PlannedMigration
from deploykit.model.release import Outcome
from deploykit.model.report import Ending
from deploykit.targets.ecs.rolling import Rolling
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

_LONGER = "see what it had done by then; a longer `migrate.timeout` lets it finish"
# outcome → what happened, and what to do about it: the words around the command that continues
_WORDS: dict[MigrationOutcome | None, tuple[str, str, str]] = {
    "failed": ("failed", "mend it, then ", ": the services still run what they ran"),
    "not_started": ("never started", "", " once what ECS names is there; the database was not touched"),
    "stopped": ("was stopped from outside", "see what it had done by then; ", " runs it again"),
    "timed_out": ("took too long", _LONGER, ""),
    None: ("was not seen to end", "", " looks for it first, and goes on with it"),
}


@dataclass
class Migrating:
    """The migrations of one run. ``failed`` is the one that ended it; ``current`` the one under way."""

    configuration: Configuration
    world: World
    record: Record
    rolling: Rolling
    planned: Sequence[PlannedMigration]
    failed: tuple[str, TaskEnd] | None = None
    current: str = ""
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Hand on what earlier releases did: the newest entry has to tell it alone."""
        known = {item.service: replace(item.known, outcome="skipped") for item in self.planned if item.known}
        self.record.note(migrations={**known, **self.record.entry.migrations})

    def run(self, steps: Steps, deadline: Deadline) -> bool:
        """Run what is to run; False where one failed, and then nothing after it was begun.

        Raises: DeploykitError only while nothing may have touched a database.
        """
        for item in self.planned:
            if item.action == "skip":
                self.world.progress.say(f"migration skipped: {item.reason}", item.service)
        wanted = [item for item in self.planned if item.action == "run"]
        if not wanted:
            if self.planned:
                steps.skip("migrate")
            return True
        with steps.step("migrate"):
            for item in wanted:
                end = self._one(item, deadline)
                if end.outcome != "succeeded":
                    self.failed = (item.service, end)
                    break
                self.done.append(item.service)
        if self.failed:
            steps.mark("migrate", "failed")
        return self.failed is None

    @property
    def touched(self) -> bool:
        """True once a migration of this release succeeded, in this run or in the one that it continues."""
        mine = self.record.entry.migrations.values()
        return any(record.release == self.record.entry.id and record.outcome == "succeeded" for record in mine)

    def left(self) -> str:
        """For people whose run ended in between: what is under way without it."""
        own = self.record.entry.migrations.get(self.current)
        if own is None or own.outcome is not None or not own.task:
            return ""
        return f"the migration of {self.current} goes on by itself (task {own.task.rpartition('/')[2]})"

    def ending(self) -> Ending:
        """How the run ends after a migration that failed."""
        key, end = self.failed or ("", TaskEnd(None))
        message = f"the migration of {key} {_WORDS[end.outcome][0]}: {end.reason}; no service was touched"
        return Ending(Outcome.FAILED, ExitCode.MIGRATION, None, message, self._hint(end))

    def finding(self) -> Finding:
        """The failed migration with its last words."""
        key, end = self.failed or ("", TaskEnd(None))
        return Finding(
            id=f"migration-{(end.outcome or 'unseen').replace('_', '-')}",
            severity="error",
            confidence="high" if end.outcome else "medium",
            subject=key,
            summary=f"the migration of {key} {_WORDS[end.outcome][0]} ({end.reason})",
            evidence=(*end.evidence, *(f"log: {line}" for line in end.lines)),
            hint=self._hint(end),
        )

    def _one(self, item: PlannedMigration, deadline: Deadline) -> TaskEnd:
        self.current = item.service
        try:
            end = self._carry_out(item, deadline)
        except DeploykitError as error:
            if not self.touched:  # then this is a command that failed before anything was touched
                raise
            return TaskEnd("not_started", error.message)
        self._note(item, outcome=end.outcome, exit_code=end.exit_code)
        self.record.save()
        self.world.progress.say(f"migration {end.outcome or 'not seen to end'}: {end.reason}", item.service)
        self.current = ""
        return end

    def _carry_out(self, item: PlannedMigration, deadline: Deadline) -> TaskEnd:
        change, observed = self.rolling.plan.changes[item.service], self.rolling.plan.observed[item.service]
        migrate, world = self._migrate(item.service), self.world
        known = tasks_of(world.aws, change.name, observed.definition.family)
        command = tuple(migrate.command)
        earlier = begun_attempt(world.aws, item, change, observed, command, known)
        if earlier is not None:
            if earlier.goes_on:
                return self._adopt(item, earlier, deadline)
            said = earlier.end.reason if earlier.end else ""
            world.progress.say(f"the attempt before ended badly ({said}); trying again", item.service)
        definition = self.rolling.register(item.service)
        one_off = OneOff(change.name, observed.state.placing, definition, change.container, command)
        running = [task for task in known if task.status != "STOPPED"]
        waiting = Deadline(world.clock, min(migrate.timeout, deadline.left))
        if still := wait_for_others(world.aws, running, one_off, waiting, world.progress):
            return TaskEnd("not_started", f"task {still}, another migration of this service, still runs")
        return self._start(item, one_off, Deadline(world.clock, min(migrate.timeout, deadline.left)))

    def _start(self, item: PlannedMigration, one_off: OneOff, deadline: Deadline) -> TaskEnd:
        before, release = self.record.entry.migrations.get(item.service), self.record.entry.id
        attempt = before.attempt + 1 if before is not None and before.release == release else 1
        began = timestamp(self.world.clock.now())
        # written before RunTask: a run that is killed in between leaves a trace of what it was about to start
        self._begin(item, attempt=attempt, task_definition=one_off.definition.arn, started=began)
        self.world.progress.say(f"migrating ({item.reason}): {shlex.join(one_off.command)}", item.service)
        service = self.rolling.plan.observed[item.service].state.arn

        def token(ask: int) -> str:
            return client_token(release, service, attempt, ask)

        world = self.world
        try:
            task = start(world.aws, one_off, started_by(release, item.service), token, deadline, world.progress)
        except AwsUnreachable as trouble:
            return TaskEnd(None, f"whether it started is not known ({trouble.message})")
        except DeploykitError:
            self._note(item, outcome="not_started")
            self.record.save()
            raise
        if isinstance(task, TaskEnd):
            return task
        self._note(item, task=task.arn)
        self.record.save()
        return follow(self.world.aws, one_off, task, deadline, self.world.progress)

    def _adopt(self, item: PlannedMigration, earlier: Attempt, deadline: Deadline) -> TaskEnd:
        """Go on with the task that an earlier run left behind, or take its good end."""
        pending, attempt = item.pending, item.pending.attempt if item.pending else 1
        task, started = earlier.task, pending.started if pending else ""
        self._begin(item, attempt=attempt, task_definition=task.task_definition, started=started, task=task.arn)
        if earlier.end is not None:
            self.world.progress.say(f"task {task.id} of an earlier run has done it", item.service)
            return earlier.end
        self.world.progress.say(f"going on with task {task.id}, which an earlier run began", item.service)
        now = self.world.clock.now()
        ran = (now - task.created).total_seconds() if task.created else 0.0
        left = max(0.0, self._migrate(item.service).timeout - ran)
        waiting = Deadline(self.world.clock, min(left, deadline.left))
        return follow(self.world.aws, earlier.one_off, task, waiting, self.world.progress)

    def _begin(self, item: PlannedMigration, *, attempt: int, task_definition: str, started: str,
               task: str | None = None) -> None:  # fmt: skip
        change, release = self.rolling.plan.changes[item.service], self.record.entry.id
        fresh = MigrationRecord(
            release, item.tree, change.image or "", None, attempt, task_definition, task, None, started
        )
        self.record.note(migrations={**self.record.entry.migrations, item.service: fresh})
        self.record.save()

    def _note(self, item: PlannedMigration, **facts: object) -> None:
        known = self.record.entry.migrations.get(item.service)
        if known is not None and known.release == self.record.entry.id:
            changed = replace(known, **facts)  # type: ignore[arg-type]  # fields by name
            self.record.note(migrations={**self.record.entry.migrations, item.service: changed})

    def _migrate(self, service: str) -> Migrate:
        migrate = self.configuration.services[service].migrate
        if migrate is None:
            raise ValueError(f"service {service} has no migration")
        return migrate

    def _hint(self, end: TaskEnd) -> Hint:
        _, before, after = _WORDS[end.outcome]
        return Hint(before, command(self.record.entry.command), after) if after else Hint(before)
