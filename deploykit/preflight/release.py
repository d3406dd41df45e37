"""What would fail in ten minutes fails now: what the next revisions name must be there before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from deploykit.config.schema import Configuration
from deploykit.edges.aws.logs import group_exists
from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, FailedBefore, Problem
from deploykit.model.observed import Definition, ObservedService
from deploykit.model.plan import Plan
from deploykit.preflight.pulling import unpullable
from deploykit.preflight.startable import Startable, startable
from deploykit.preflight.waits import too_long


def preflight(configuration: Configuration, aws: Aws, plan: Plan) -> Startable:
    """What the plan's new revisions lack: secrets, roles, log groups, a port for the load balancer, leave to pull.

    Images of the plan itself are left out: they have just been looked up, built, or are still to be built. What may
    not be read is a warning. Time they lack where ECS's own waits (a bake time) are longer than the rollout's deadline.
    """
    definitions = {
        key: Definition("", _without_image(change.registration, change.container), {})
        for key, change in plan.changes.items()
        if change.registration is not None
    }
    found = startable(aws, definitions, configuration.account, configuration.registry)
    ports = [text for key in definitions for text in _ports(plan.observed[key], definitions[key])]
    groups, unseen = _log_groups(aws, definitions)
    whole = {key: change.registration for key, change in plan.changes.items() if change.registration is not None}
    pulls = unpullable(aws, whole, configuration.account, configuration.registry)
    late = too_long(plan.observed, plan.sequence, configuration.rollout.deadline)
    problems = (*found.problems, *ports, *groups, *pulls.problems, *([late] if late else []))
    return Startable(problems, (*found.warnings, *unseen, *pulls.warnings))


def refuse(found: Startable) -> None:
    """Raises: FailedBefore with everything that lacks."""
    if found.problems:
        raise FailedBefore(
            "the release would not start",
            "make what is missing (in Terraform, where it owns it), then run the command again",
            problems=[Problem(text) for text in found.problems],
        )


def _without_image(registration: Mapping[str, Any], container: str) -> dict[str, Any]:
    containers = [
        {name: value for name, value in item.items() if name != "image" or item.get("name") != container}
        for item in registration["containerDefinitions"]
    ]
    return {**registration, "containerDefinitions": containers}


def _ports(observed: ObservedService, definition: Definition) -> Iterator[str]:
    """The load balancer sends requests to a container's port: both must be in the definition.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html
    """
    for group in observed.state.target_groups:
        container = definition.container(group.container) or {}
        ports = [mapping.get("containerPort") for mapping in container.get("portMappings") or ()]
        if group.port not in ports:
            there = ", ".join(map(str, ports)) or "none"
            yield (
                f"{observed.key}: the load balancer sends requests to port {group.port} of container "
                f"{group.container}, and the task definition maps {there}: mend its portMappings, or the service's "
                "load balancer"
            )


def _log_groups(aws: Aws, definitions: Mapping[str, Definition]) -> tuple[list[str], list[str]]:
    users: dict[str, set[str]] = {}
    for key, definition in definitions.items():
        for container in definition.content["containerDefinitions"]:
            logging = container.get("logConfiguration") or {}
            options = logging.get("options") or {}
            made = options.get("awslogs-create-group") == "true"
            if logging.get("logDriver") == "awslogs" and options.get("awslogs-group") and not made:
                users.setdefault(options["awslogs-group"], set()).add(key)

    def ask(group: str) -> bool | DeploykitError:
        try:
            return aws.remember(("log group", group), partial(group_exists, aws, group))
        except DeploykitError as error:
            return error

    found = side_by_side({group: partial(ask, group) for group in users})
    missing = [
        f"log group {group} does not exist, and {', '.join(sorted(users[group]))} writes to it: "
        f"`aws logs create-log-group --log-group-name {group} --region {aws.region}`"
        for group, there in found.items()
        if there is False
    ]
    unseen = [
        f"could not look for log group {group}: {there.message}"
        for group, there in found.items()
        if isinstance(there, DeploykitError)
    ]
    return missing, unseen
