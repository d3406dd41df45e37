"""What an earlier run began and did not see the end of: its revision and its task are taken up, not made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deploykit.edges.aws.ecs import definitions_of, describe_definition
from deploykit.edges.aws.ecs_tasks import describe_task
from deploykit.edges.aws.session import Aws
from deploykit.model.migration import MigrationRecord, PlannedMigration
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Change, Plan
from deploykit.model.task import Task
from deploykit.targets.ecs.definition import same_content
from deploykit.targets.migration.task import OneOff, TaskEnd, end_of, started_by


@dataclass(frozen=True)
class Attempt:
    """The task of a migration whose end nobody saw. ``end`` None: it still runs."""

    task: Task
    one_off: OneOff
    end: TaskEnd | None

    @property
    def continues(self) -> bool:
        """True where no other has to be started: it runs, or has done it."""
        return self.end is None or self.end.outcome == "succeeded"


def with_begun(plan: Plan, planned: Sequence[PlannedMigration], aws: Aws) -> Plan:
    """``plan`` with the revisions of those migrations whose end nobody saw, where they are still what it asks for.

    Raises: NotAllowed, AwsUnreachable.
    """
    asked = {
        item.service: item.pending.task_definition
        for item in planned
        if item.pending and item.pending.task_definition and plan.changes[item.service].registration is not None
    }
    found, _ = definitions_of(aws, asked)
    same = {
        key: definition
        for key, definition in found.items()
        if definition.active and same_content(definition, plan.changes[key].registration or {})
    }
    changes = {key: replace(change, to=same[key]) if key in same else change for key, change in plan.changes.items()}
    return replace(plan, changes=changes)


def begun_attempt(
    aws: Aws,
    item: PlannedMigration,
    change: Change,
    observed: ObservedService,
    command: tuple[str, ...],
    known: Sequence[Task],
) -> Attempt | None:
    """What has become of the attempt that ``item`` is about; ``known``: the migrations that ECS lists.

    Raises: NotAllowed, AwsUnreachable.
    """
    task = _task(aws, item.pending, change, known) if item.pending else None
    if task is None:
        return None
    same = change.to if change.to and change.to.arn == task.task_definition else None
    definition = same or describe_definition(aws, task.task_definition)
    one_off = OneOff(change.name, observed.state.placing, definition, change.container, command)
    return Attempt(task, one_off, end_of(task, one_off))


def _task(aws: Aws, pending: MigrationRecord, change: Change, known: Sequence[Task]) -> Task | None:
    """By its ARN, else by who started which revision."""
    if pending.task is None:
        by = started_by(pending.release, change.name.key)
        same = [task for task in known if (task.started_by, task.task_definition) == (by, pending.task_definition)]
        return same[0] if same else None
    listed = next((task for task in known if task.arn == pending.task), None)
    return listed or describe_task(aws, change.name.cluster, pending.task)
