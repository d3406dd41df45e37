"""Would the next revisions start? Everything that they need is checked before anything changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws
from deploykit.errors import FailedBefore, Problem
from deploykit.model.finding import Finding, errors, one_line
from deploykit.model.observed import Definition
from deploykit.model.plan import Plan
from deploykit.preflight.images import check_images
from deploykit.preflight.log_groups import check_log_groups
from deploykit.preflight.looking import all_findings
from deploykit.preflight.ports import check_ports
from deploykit.preflight.pulling import check_pulls
from deploykit.preflight.roles import check_roles
from deploykit.preflight.secrets import check_parameters, check_secrets
from deploykit.preflight.waits import check_waits


def startable(
    aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None = None
) -> tuple[Finding, ...]:
    """What tasks of ``definitions`` (by service) need to start and do not find: images, secrets, roles, parameters.

    ``registry`` stands in for ECR's own host name in image references. What cannot be checked is a warning: it may
    well be there.
    """
    return all_findings(_named(aws, definitions, account, registry))


def preflight(configuration: Configuration, aws: Aws, plan: Plan) -> tuple[Finding, ...]:
    """What the new revisions of ``plan`` lack; the checks run side by side, their findings keep their order.

    The plan's own images are not checked: they were just looked up or built, or will be built.
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
            *_named(aws, others, account, registry),
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
            "create what is missing (in Terraform, where it owns it), then run the command again",
            problems=[Problem(one_line(finding)) for finding in found],
        )


def _named(
    aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None
) -> tuple[Callable[[], tuple[Finding, ...]], ...]:
    """The checks of what task definitions name."""
    return (
        partial(check_images, aws, definitions, registry),
        partial(check_secrets, aws, definitions),
        partial(check_roles, aws, definitions, account),
        partial(check_parameters, aws, definitions),
    )


def _without_image(definition: Definition, container: str) -> Definition:
    containers = [{**item, "image": ""} if item.get("name") == container else item for item in definition.containers]
    return replace(definition, content={**definition.content, "containerDefinitions": containers})
