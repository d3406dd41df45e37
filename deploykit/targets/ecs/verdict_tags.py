"""The verdict as tags, and what a rollback leaves: so that a rollback works from task definitions alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from deploykit.edges.aws.ecs import tag_definition
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Run
from deploykit.model.observed import TAG_VERDICT
from deploykit.model.plan import Plan
from deploykit.model.release import Verdict
from deploykit.targets.ecs.release import RolledOut


def write_verdicts(run: Run, rolled: RolledOut, verdict: Verdict | None) -> None:
    """Tag the revisions of a release with its verdict; a rollback withdraws what it leaves instead.

    A tag that cannot be set is a warning: what runs is not touched by it.
    """
    plan, journal, world = run.plan, run.journal, run.world
    wanted = _rollback_tags(plan, rolled) if plan.kind == "rollback" else _release_tags(plan, rolled, verdict)
    calls = {arn: partial(tag_definition, world.aws, arn, {TAG_VERDICT: str(word)}) for arn, word in wanted.items()}
    try:
        side_by_side(calls)
    except DeploykitError as error:
        world.progress.warn(f"the verdict could not be written as a tag: {error.message}")
    if plan.kind == "rollback" and journal.touched:
        for release in plan.withdraws:
            journal.change(release, lambda entry: replace(entry, withdrawn_by=plan.release))
        if plan.target:
            journal.change(plan.target, lambda entry: replace(entry, withdrawn_by=None))


def _release_tags(plan: Plan, rolled: RolledOut, verdict: Verdict | None) -> dict[str, Verdict]:
    if verdict is None:
        return {}
    return {begun.definition.arn: verdict for key, begun in rolled.started.items() if key in plan.changes}


def _rollback_tags(plan: Plan, rolled: RolledOut) -> dict[str, Verdict]:
    left = {
        service.definition.arn: Verdict.WITHDRAWN
        for service in plan.observed.values()
        if service.definition.release in plan.withdraws
    }
    back = {
        begun.definition.arn: plan.target_verdict or Verdict.HEALTHY
        for begun in rolled.started.values()
        if begun.definition.verdict == Verdict.WITHDRAWN
    }
    return left | back
