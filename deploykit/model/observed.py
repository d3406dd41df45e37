"""What runs now: ECS's word on each service, as read at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TAG_RELEASE = "deploykit:release"
TAG_SHA = "deploykit:sha"
TAG_ENVIRONMENT = "deploykit:environment"
TAG_VERDICT = "deploykit:verdict"
TAG_WITHDRAWN_BY = "deploykit:withdrawn-by"
"""The id of the rollback that left the revision's release; empty once a rollback has returned to it."""


@dataclass(frozen=True)
class ServiceName:
    """Where a service of deploykit.toml lives in ECS."""

    key: str  # in deploykit.toml
    cluster: str
    service: str  # in ECS


@dataclass(frozen=True)
class Rollout:
    """One ECS deployment of a service, in ECS's own words.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """

    id: str
    status: str  # PRIMARY, ACTIVE, INACTIVE
    task_definition: str
    state: str | None  # IN_PROGRESS, COMPLETED, FAILED; None where the service has no circuit breaker state
    reason: str
    desired: int
    running: int
    pending: int
    failed: int
    created: datetime | None


@dataclass(frozen=True)
class TargetGroup:
    """Where the load balancer sends requests of one container."""

    arn: str
    container: str
    port: int
    alternate: str = ""  # the other one's ARN, where rollouts take turns with two


@dataclass(frozen=True)
class Shifting:
    """How ECS moves requests from the running revision to the new one, where it does not replace task by task.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
    """

    strategy: str  # BLUE_GREEN, CANARY, LINEAR
    steps: float  # seconds that ECS waits between the shares of the requests that it moves
    bake: float  # seconds for which both revisions keep running once all traffic is shifted

    @property
    def least(self) -> float:
        """Seconds that a rollout takes at least, before any task's start is counted."""
        return self.steps + self.bake


@dataclass(frozen=True)
class ServiceState:
    """One service in one DescribeServices answer."""

    key: str  # in deploykit.toml
    name: str  # in ECS
    cluster: str
    arn: str
    controller: str  # ECS, CODE_DEPLOY, EXTERNAL
    status: str  # ACTIVE, DRAINING, INACTIVE
    task_definition: str
    desired: int
    running: int
    pending: int
    rollouts: tuple[Rollout, ...]
    target_groups: tuple[TargetGroup, ...]
    events: tuple[tuple[str, datetime, str], ...]  # id, when, message: newest first
    # how its tasks are placed, as RunTask takes it: network, launch type or capacity providers, platform version
    placing: Mapping[str, Any] = field(default_factory=dict)
    shifting: Shifting | None = None  # None: tasks are replaced one after the other (ROLLING)

    @property
    def primary(self) -> Rollout | None:
        return next((rollout for rollout in self.rollouts if rollout.status == "PRIMARY"), None)

    def rollout(self, identifier: str) -> Rollout | None:
        return next((rollout for rollout in self.rollouts if rollout.id == identifier), None)


def split_revision(arn: str) -> tuple[str, int]:
    """``("web", 3)`` of ``arn:…:task-definition/web:3``; an ARN without a number is number 0 of its own family."""
    family, _, number = arn.rpartition("/")[2].rpartition(":")
    return (family, int(number)) if family and number.isdigit() else (arn, 0)


@dataclass(frozen=True)
class Definition:
    """A task definition revision with its tags, as DescribeTaskDefinition answers."""

    arn: str
    content: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def family(self) -> str:
        return str(self.content["family"])

    @property
    def active(self) -> bool:
        return bool(self.content.get("status", "ACTIVE") == "ACTIVE")

    @property
    def containers(self) -> Sequence[Mapping[str, Any]]:
        return self.content.get("containerDefinitions") or ()

    def container(self, name: str) -> Mapping[str, Any] | None:
        return next((c for c in self.containers if c.get("name") == name), None)

    @property
    def release(self) -> str | None:
        return self.tags.get(TAG_RELEASE)

    @property
    def sha(self) -> str | None:
        return self.tags.get(TAG_SHA)

    @property
    def verdict(self) -> str | None:
        return self.tags.get(TAG_VERDICT)

    @property
    def withdrawn_by(self) -> str | None:
        return self.tags.get(TAG_WITHDRAWN_BY) or None


@dataclass(frozen=True)
class ObservedService:
    """A service and the revision it is set to run."""

    state: ServiceState
    definition: Definition
    container: str
    newer: Definition | None = None  # a revision of the family that somebody else registered and nothing runs yet
    pending: Definition | None = None  # the same of deploykit's own, which no release has brought to its end

    @property
    def base(self) -> Definition:
        """What the next release is made from.

        Under ``ignore_changes = [task_definition]`` Terraform registers revisions and leaves them to the next release.
        """
        return self.newer or self.definition

    @property
    def key(self) -> str:
        return self.state.key

    @property
    def name(self) -> ServiceName:
        return ServiceName(self.key, self.state.cluster, self.state.name)

    @property
    def image(self) -> str | None:
        container = self.definition.container(self.container)
        return None if container is None else str(container.get("image", ""))

    @property
    def digest(self) -> str | None:
        _, at, digest = (self.image or "").partition("@")
        return digest if at else None

    @property
    def sha(self) -> str | None:
        return self.definition.sha


def running_sha(observed: Mapping[str, ObservedService]) -> str | None:
    """The commit of the newest release among the services that run, by deploykit's own tags."""
    released = [(s.definition.release or "", s.sha) for s in observed.values() if s.sha]
    return max(released)[1] if released else None
