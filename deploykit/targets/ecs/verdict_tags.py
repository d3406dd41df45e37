"""The verdict as tags, and what a rollback leaves: so that a rollback works from task definitions alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from deploykit.edges.aws.ecs import tag_definition
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Journal, Run
from deploykit.model.observed import TAG_VERDICT, TAG_WITHDRAWN_BY
from deploykit.model.plan import Plan
from deploykit.model.release import Verdict
from deploykit.targets.ecs.release import RolledOut


def write_verdicts(run: Run, rolled: RolledOut, verdict: Verdict | None) -> None:
    """Tag the revisions of a release with its verdict; a rollback withdraws what it leaves instead.

    A rollback that another rollout took over before it reached its destination withdraws nothing. A tag that cannot be
    set is a warning: what runs is not touched by it.
    """
    plan, journal, world = run.plan, run.journal, run.world
    if plan.kind == "rollback" and rolled.superseded:
        return
    wanted = _rollback_tags(plan, rolled) if plan.kind == "rollback" else _release_tags(journal, rolled, verdict)
    calls = {arn: partial(tag_definition, world.aws, arn, tags) for arn, tags in wanted.items()}
    try:
        side_by_side(calls)
    except DeploykitError as error:
        world.progress.warn(f"the verdict could not be written as a tag: {error.message}")
    if plan.kind == "rollback" and journal.touched:
        for release in plan.withdraws:
            journal.change(release, lambda entry: replace(entry, withdrawn_by=plan.release))
        if plan.target:
            journal.change(plan.target, lambda entry: replace(entry, withdrawn_by=None))


def _release_tags(journal: Journal, rolled: RolledOut, verdict: Verdict | None) -> dict[str, dict[str, str]]:
    ours = (journal.tried[key].task_definition for key in rolled.started)
    return {arn: {TAG_VERDICT: str(verdict)} for arn in ours} if verdict else {}


def _rollback_tags(plan: Plan, rolled: RolledOut) -> dict[str, dict[str, str]]:
    before = {key: change.before for key, change in plan.changes.items()}
    ran = [before.get(key) or service.definition for key, service in plan.observed.items()]
    left = {TAG_VERDICT: str(Verdict.WITHDRAWN), TAG_WITHDRAWN_BY: plan.release}
    back = {TAG_VERDICT: str(plan.target_verdict or Verdict.HEALTHY), TAG_WITHDRAWN_BY: ""}
    started = (begun.definition for begun in rolled.started.values())
    return {each.arn: left for each in ran if each.release in plan.withdraws} | {
        each.arn: back for each in started if each.verdict == Verdict.WITHDRAWN
    }
