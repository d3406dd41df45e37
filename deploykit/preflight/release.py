"""What would fail in ten minutes fails now: everything that the next revisions need is looked for first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws
from deploykit.errors import FailedBefore, Problem
from deploykit.model.finding import Finding, errors, one_line
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.preflight.log_groups import check_log_groups
from deploykit.preflight.looking import all_findings
from deploykit.preflight.ports import check_ports
from deploykit.preflight.pulling import check_pulls
from deploykit.preflight.startable import checks
from deploykit.preflight.waits import check_waits


def preflight(configuration: Configuration, aws: Aws, plan: Plan) -> tuple[Finding, ...]:
    """What the new revisions of ``plan`` lack; every check side by side, the findings in the order of the checks.

    Whether the plan's own images exist is not asked: they have just been looked up or built, or are still to be built.
    """
    account, registry = configuration.account, configuration.registry
    definitions = {
        key: Definition("", change.registration, {})
        for key, change in plan.changes.items()
        if change.registration is not None
    }
    others = {key: _without_image(each, plan.changes[key].container) for key, each in definitions.items()}
    return all_findings(
        (
            *checks(aws, others, account, registry),
            partial(check_ports, plan.observed, definitions),
            partial(check_log_groups, aws, definitions),
            partial(check_pulls, aws, definitions, account, registry),
            partial(check_waits, plan, configuration.rollout.deadline),
        )
    )


def refuse(findings: Iterable[Finding]) -> None:
    """Raises: FailedBefore with every error among ``findings``."""
    if found := errors(findings):
        raise FailedBefore(
            "the release would not start",
            "make what is missing (in Terraform, where it owns it), then run the command again",
            problems=[Problem(one_line(finding)) for finding in found],
        )


def _without_image(definition: Definition, container: str) -> Definition:
    containers: list[Mapping[str, object]] = [
        {**item, "image": ""} if item.get("name") == container else item for item in definition.containers
    ]
    return replace(definition, content={**definition.content, "containerDefinitions": containers})
