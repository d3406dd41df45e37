"""Continue a run that was killed, or a release that could not be judged: in its own entry, to its own destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploykit.config.schema import Configuration
from deploykit.deploy.plan import begin_anew, continued_rollback, resume, resume_undo
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.edges.world import World
from deploykit.ledger.read import Ledger
from deploykit.ledger.running import unfinished
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import Definition, ObservedService
from deploykit.model.plan import Plan


def resumed(
    plan: Plan, configuration: Configuration, ledger: Ledger, command: str, world: World, left: str | None = None
) -> tuple[Plan, LedgerEntry] | None:
    """The plan and the entry of the unfinished run of the same command and commit; None where there is none.

    Where nothing of it was begun it begins anew, in the same entry.
    """
    live = {key: service.definition.release for key, service in plan.observed.items()}
    entry = unfinished(ledger.entries, command, plan.sha or "", set(filter(None, live.values())), left)
    if entry is None:
        return None
    migrated = any(record.release == entry.id for record in entry.migrations.values())
    begun = entry.undo is not None or migrated or entry.id in live.values()
    if not begun:
        return begin_anew(plan, entry), replace(entry, baseline=None, services=plan.released())
    keys = [key for key in plan.observed if live[key] == entry.id or key in plan.changes or key in entry.changing]
    before = _before(entry, plan.observed, world.aws, keys)
    # what the step `rollout` began becomes a release by being judged
    continued = resume_undo if entry.undo else resume
    return continued(plan, configuration, entry, before), replace(entry, kind=plan.kind, command=command)


def resumed_rollback(plan: Plan, configuration: Configuration, entry: LedgerEntry, world: World) -> Plan:
    """``plan`` (the way to the same destination from what runs now) as the rest of the rollback of ``entry``."""
    reached = [key for key in entry.changing if key in plan.observed and key not in plan.changes]
    before = _before(entry, plan.observed, world.aws, entry.changing)
    return continued_rollback(plan, configuration, entry, before, reached)


def _before(
    entry: LedgerEntry, observed: Mapping[str, ObservedService], aws: Aws, keys: Sequence[str]
) -> dict[str, Definition]:
    """What each of ``keys`` ran before the run of ``entry``, as far as it is known and still described."""
    known = {key: entry.services[key] for key in keys if key in entry.services and key in observed}
    arns = {key: service.previous_task_definition or service.task_definition for key, service in known.items()}
    return definitions_of(aws, {key: arn for key, arn in arns.items() if arn})[0]
