"""What was read of a cluster and of what is in front of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploykit.edges.aws.cloudfront import Distribution
from deploykit.edges.aws.elb import HealthCheck, LoadBalancer, Rule
from deploykit.model.observed import ServiceState


@dataclass(frozen=True)
class SeenService:
    """A service and the content of its live task definition (None where that could not be read)."""

    state: ServiceState
    definition: Mapping[str, Any] | None

    @property
    def containers(self) -> tuple[Mapping[str, Any], ...]:
        return tuple((self.definition or {}).get("containerDefinitions") or ())


@dataclass(frozen=True)
class SeenCluster:
    """One cluster at one moment. ``unseen`` says what could not be read, and why."""

    name: str
    region: str
    account: str
    services: tuple[SeenService, ...]
    health_checks: Mapping[str, HealthCheck] = field(default_factory=dict)  # by target group
    balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)  # by ARN
    rules: tuple[Rule, ...] = ()
    distributions: tuple[Distribution, ...] | None = ()  # None where they could not be listed
    repositories: tuple[str, ...] | None = None  # None where they could not be listed
    unseen: tuple[str, ...] = ()
    registry: str | None = None  # a registry's host in place of ECR's own
