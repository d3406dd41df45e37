"""What the simulated ECS remembers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import AwsError

Json = dict[str, Any]
Env = Mapping[str, str]
Answer = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]


@dataclass(frozen=True)
class Behaviour:
    """How containers of one image behave. All times are virtual seconds.

    ``start``: from the task's creation to RUNNING. ``healthy_after`` and ``unhealthy_after``: from RUNNING to the
    load balancer's (or the container health check's) first word. ``exits``: (seconds after RUNNING, exit code) of
    every container of a service; ``run_task``: the same for RunTask. ``pull_error``: the registry's complaint.
    ``stop``: from the stop signal to the end. ``answers``: path (``*``: any other) to (status, body[, headers]) or a
    callable that takes the container's environment and returns that; a body that is no text is sent as JSON.
    """

    start: float = 10.0
    healthy_after: float = 20.0
    unhealthy_after: float = 30.0
    exits: tuple[float, int] | None = None
    run_task: tuple[float, int] = (5.0, 0)
    pull_error: str | None = None
    health_check_fails: bool = False
    stop: float = 2.0
    log_lines: tuple[str, ...] | list[str] = ()
    answers: Mapping[str, Answer | Callable[[Env], Answer]] | None = None


@dataclass
class TaskDefinition:
    """One registered revision: ``body`` is what was registered."""

    arn: str
    family: str
    revision: int
    body: Json
    registered_at: float
    status: str = "ACTIVE"
    deregistered_at: float | None = None

    @property
    def containers(self) -> list[Json]:
        return list(self.body["containerDefinitions"])


@dataclass
class Container:
    name: str
    image: str
    digest: str
    essential: bool
    behaviour: Behaviour
    status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    health: str = "UNKNOWN"
    checked: bool = False


@dataclass(eq=False)  # a task is itself; comparing what two of hundreds hold took most of the simulator's time
class Task:
    """One task, of a service or of RunTask."""

    arn: str
    cluster: str
    definition: TaskDefinition
    group: str
    started_by: str | None
    created_at: float
    ip: str
    containers: list[Container]
    overrides: Json = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    service: Service | None = None
    deployment: Rollout | None = None
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    target_state: str | None = None
    target_reason: str | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    times: dict[str, float] = field(default_factory=dict)
    protected_until: float | None = None  # POSIX seconds

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def target_group(self) -> str | None:
        """Where the load balancer finds it, while it is registered."""
        if self.service is None or self.target_state is None:
            return None
        own = self.deployment.target_group if self.deployment else None
        return own or str(self.service.body["loadBalancers"][0]["targetGroupArn"])

    @property
    def checked(self) -> bool:
        """Whether anything looks at this task's health beyond that it runs."""
        return self.target_state is not None or any(c.checked for c in self.containers)

    @property
    def healthy(self) -> bool:
        """RUNNING, meant to run, and every health check that there is has passed."""
        if self.last_status != "RUNNING" or self.desired_status != "RUNNING":
            return False
        if any(c.checked and c.health != "HEALTHY" for c in self.containers):
            return False
        return self.target_state in (None, "healthy")

    @property
    def health_status(self) -> str:
        checked = [c.health for c in self.containers if c.checked]
        if not checked:
            return "UNKNOWN"
        return next((word for word in ("UNHEALTHY", "UNKNOWN") if word in checked), "HEALTHY")


@dataclass
class Rollout:
    """One entry of a service's deployments[]."""

    id: str
    definition: TaskDefinition
    revision_arn: str
    created_at: float
    updated_at: float
    status: str = "PRIMARY"
    rollout_state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    breaker_count: int = 0
    in_a_row: int = 0
    retry_at: float = 0.0
    completed: bool = False
    record: Json = field(default_factory=dict)
    target_group: str | None = None  # where its tasks are registered, where the service has two to choose from


@dataclass
class Service:
    arn: str
    name: str
    cluster: str
    body: Json
    definition: TaskDefinition
    desired: int
    created_at: float
    status: str = "ACTIVE"
    deployments: list[Rollout] = field(default_factory=list)
    records: list[Json] = field(default_factory=list)
    revisions: dict[str, TaskDefinition] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    last_completed: TaskDefinition | None = None
    steady: bool = False
    no_place: str | None = None  # why no task can be placed, in ECS's words
    blocked: set[str] = field(default_factory=set)  # "deployment: reason" that was told already
    production: Rollout | None = None  # what serves, where rollouts move requests (blue/green and its kin)
    weights: dict[str, float] = field(default_factory=dict)  # rollout id → percent of the requests, there
    revision_groups: dict[str, str] = field(default_factory=dict)  # service revision → its target group, there
    shown: tuple[float, Json] | None = None  # until when (virtual time) describing shows this, from before an update

    @property
    def primary(self) -> Rollout:
        return next(d for d in self.deployments if d.status == "PRIMARY")

    @property
    def controller(self) -> str:
        return str(self.body.get("deploymentController", {}).get("type", "ECS"))

    @property
    def configuration(self) -> Json:
        return {"maximumPercent": 200, "minimumHealthyPercent": 100, **self.body.get("deploymentConfiguration", {})}


class EcsState:
    """Clusters, definitions, services and tasks, and how they are found by name or ARN."""

    def __init__(self, clock: VirtualClock, region: str, account: str) -> None:
        self.clock, self.region, self.account = clock, region, account
        self.clusters: dict[str, Json] = {}
        self.definitions: dict[str, list[TaskDefinition]] = {}
        self.services: dict[tuple[str, str], Service] = {}
        self.tasks: dict[str, Task] = {}
        self.tags: dict[str, list[Json]] = {}
        self.numbers = itertools.count(1)
        self.inactive_grace = 0.0
        """Seconds for which a deregistered revision is still accepted (AWS: up to ten minutes)."""
        self.lag = 0.0
        """Seconds after UpdateService for which DescribeServices shows the service as it was before."""
        self.no_capacity: str | None = None
        """Why RunTask can place no task now, such as RESOURCE:MEMORY."""

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:{kind}/{name}"

    def fresh_id(self) -> str:
        """32 hexadecimal digits, as task ids have."""
        return f"{next(self.numbers) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"

    def fresh_number(self) -> str:
        """A 19-digit number, as deployment ids have."""
        return str(10**18 + next(self.numbers) * 0x9E3779B97F4A7C15 % (9 * 10**18))

    def cluster(self, name: str | None) -> str:
        short = (name or "default").rpartition("/")[2]
        if short not in self.clusters:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return short

    def service(self, cluster: str, name: str) -> Service:
        found = self.services.get((cluster, name.rpartition("/")[2]))
        if found is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return found

    def definition(self, reference: str) -> TaskDefinition | None:
        """By ARN, family:revision, or family (its newest ACTIVE revision)."""
        if reference.startswith("arn:"):
            found = re.fullmatch(r"arn:aws:ecs:[^:]+:[^:]+:task-definition/(.+)", reference)
            if found is None:
                return None
            reference = found[1]
        family, _, revision = reference.partition(":")
        known = self.definitions.get(family, [])
        if not revision:
            return next((d for d in reversed(known) if d.status == "ACTIVE"), None)
        return next((d for d in known if str(d.revision) == revision), None)

    def usable_definition(self, reference: str) -> TaskDefinition:
        """A revision that new tasks may use, or ClientException.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deregister-task-definition-v2.html
        """
        found = self.definition(reference)
        if found is None:
            raise AwsError("ClientException", "TaskDefinition not found.")
        gone = found.deregistered_at
        if found.status != "ACTIVE" and (gone is None or self.clock.now - gone >= self.inactive_grace):
            raise AwsError("ClientException", "TaskDefinition is inactive")
        return found

    def protected(self, task: Task) -> bool:
        """Whether neither scaling in nor a deployment may stop this task."""
        return task.protected_until is not None and self.clock.stamp < task.protected_until

    def tasks_of(self, service: Service) -> list[Task]:
        return [task for task in self.tasks.values() if task.service is service]
