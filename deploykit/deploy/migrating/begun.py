"""What an earlier run registered for a migration, and did not get to roll out: taken, not registered a second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from deploykit.deploy.returning.startable import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.model.migration import PlannedMigration
from deploykit.model.plan import Plan
from deploykit.targets.ecs.definition import same_content


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
