"""What would fail in ten minutes fails now: what the next revisions name must be there before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from deploykit.config.schema import Configuration
from deploykit.deploy.patience import too_long
from deploykit.deploy.pulling import unpullable
from deploykit.deploy.returning.startable import Startable, startable
from deploykit.edges.aws.logs import group_exists
from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, FailedBefore, Problem
from deploykit.model.log_place import log_place
from deploykit.model.observed import Definition, ObservedService
from deploykit.model.plan import Plan


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
    late = too_long(plan.observed, plan.order, configuration.rollout.deadline)
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
    users: dict[tuple[str, str], set[str]] = {}  # region and group → the services that write there
    for key, definition in definitions.items():
        for container in definition.content["containerDefinitions"]:
            place = log_place(container, aws.region)
            if place is not None and not place.made:
                users.setdefault((place.region, place.group), set()).add(key)

    def ask(region: str, group: str) -> bool | DeploykitError:
        there = aws.in_region(region)
        try:
            return there.remember(("log group", group), partial(group_exists, there, group))
        except DeploykitError as error:
            return error

    found = side_by_side({place: partial(ask, *place) for place in users})
    missing = [
        f"log group {group} does not exist in {region}, and {', '.join(sorted(users[region, group]))} writes to it: "
        f"`aws logs create-log-group --log-group-name {group} --region {region}`"
        for (region, group), there in found.items()
        if there is False
    ]
    unseen = [
        f"could not look for log group {group}: {there.message}"
        for (_, group), there in found.items()
        if isinstance(there, DeploykitError)
    ]
    return missing, unseen
