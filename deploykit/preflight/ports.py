"""Does the load balancer send requests to a port that the task definition maps? Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploykit.model.finding import Finding
from deploykit.model.observed import Definition, ObservedService


def check_ports(observed: Mapping[str, ObservedService], definitions: Mapping[str, Definition]) -> tuple[Finding, ...]:
    """``port-mismatch`` where a target group's container or port is not in the definition; both by service.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LoadBalancer.html
    """
    return tuple(finding for key in definitions for finding in _mismatches(observed[key], definitions[key]))


def _mismatches(observed: ObservedService, definition: Definition) -> Iterator[Finding]:
    for group in observed.state.target_groups:
        container = definition.container(group.container) or {}
        ports = [mapping.get("containerPort") for mapping in container.get("portMappings") or ()]
        if group.port not in ports:
            yield Finding(
                "port-mismatch",
                "error",
                "high",
                observed.key,
                f"{observed.key}: the load balancer sends requests to port {group.port} of container "
                f"{group.container}, and the task definition maps {', '.join(map(str, ports)) or 'none'}",
                hint="fix its portMappings, or the service's load balancer",
            )
