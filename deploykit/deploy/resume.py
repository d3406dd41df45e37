"""Continue a release that was killed, or could not be judged: in its own entry, against its own baseline."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.deploy.plan import resume
from deploykit.edges.aws.ecs import describe_definition
from deploykit.edges.parallel import side_by_side
from deploykit.edges.world import World
from deploykit.ledger.read import Ledger
from deploykit.ledger.running import unfinished
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan


def resumed(plan: Plan, configuration: Configuration, ledger: Ledger, world: World) -> tuple[Plan, LedgerEntry] | None:
    """The plan and the entry of the unfinished release of the same commit; None where there is none."""
    live = {key: service.definition.release for key, service in plan.observed.items()}
    entry = unfinished(ledger.entries, plan.sha or "", live)
    if entry is None or plan.kind != "deploy":
        return None
    previous = {
        key: service.previous_task_definition or service.task_definition
        for key, service in entry.services.items()
        if live.get(key) == entry.id or key in plan.changes
    }
    arns = {
        key: arn for key, arn in previous.items() if arn != plan.observed[key].definition.arn or key in plan.changes
    }
    before = side_by_side({key: partial(describe_definition, world.aws, arn) for key, arn in arns.items()})
    world.progress.say(f"continuing release {entry.id}, which was not judged")
    # what the step `rollout` began becomes a release by being judged
    return resume(plan, configuration, entry, before), replace(entry, kind=plan.kind, command="deploy")
