"""The life of a task: PROVISIONING, PENDING, RUNNING, and the ways down to STOPPED.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tests.simulator.ecs_state import Behaviour, Container, EcsState, Rollout, Service, Task, TaskDefinition

PENDING_AT = 0.3
"""Share of ``Behaviour.start`` after which a task is PENDING; at PULLED_AT its images are there (or are not)."""
PULLED_AT = 0.6
DEPROVISION = 3.0
"""Seconds from a container's end to STOPPED, in which the network interface goes."""
KEPT = 3600.0
"""Seconds for which stopped tasks can still be described ("at least 1 hour")."""


class Surroundings(Protocol):
    """What a starting task needs from the other services."""

    def behaviour(self, image: str) -> Behaviour: ...
    def resolve_image(self, image: str) -> tuple[str, str | None]: ...
    def missing_secret(self, definition: TaskDefinition) -> str | None: ...
    def deregistration_delay(self, target_group: str) -> float: ...
    def write_log(self, definition: TaskDefinition, container: str, task_id: str, lines: list[str]) -> None: ...


class Tasks:
    """Moves tasks along; tells ``changed`` (and ``failed``) about those of services."""

    def __init__(self, state: EcsState, around: Surroundings) -> None:
        self.state, self.around = state, around
        self.changed: Callable[[Service], None] = lambda service: None
        self.failed: Callable[[Task], None] = lambda task: None
        self.became_healthy: Callable[[Task], None] = lambda task: None
        self.event: Callable[[Service, str], None] = lambda service, text: None

    def launch(
        self,
        cluster: str,
        definition: TaskDefinition,
        *,
        service: Service | None = None,
        deployment: Rollout | None = None,
        group: str | None = None,
        started_by: str | None = None,
    ) -> Task:
        number = len(self.state.tasks) + 10
        containers = []
        for spec in definition.containers:
            digest, _ = self.around.resolve_image(spec["image"])
            container = Container(
                spec["name"], spec["image"], digest, spec.get("essential", True), self.around.behaviour(spec["image"])
            )
            container.checked = "healthCheck" in spec
            containers.append(container)
        task = Task(
            arn=self.state.arn("task", f"{cluster}/{self.state.fresh_id()}"),
            cluster=cluster,
            definition=definition,
            group=group or f"family:{definition.family}",
            started_by=started_by,
            created_at=self.state.clock.stamp,
            ip=f"10.0.{number // 250 % 250}.{number % 250 + 4}",
            containers=containers,
            service=service,
            deployment=deployment,
        )
        self.state.tasks[task.arn] = task
        start = max(container.behaviour.start for container in containers)
        after = self.state.clock.after
        after(start * PENDING_AT, lambda: self._pending(task))
        after(start * PULLED_AT, lambda: self._pulled(task))
        after(start, lambda: self._running(task))
        return task

    def _live(self, task: Task) -> bool:
        return task.desired_status == "RUNNING" and task.arn in self.state.tasks

    def _mark(self, task: Task, *names: str) -> None:
        for name in names:
            task.times[name] = self.state.clock.stamp

    def _pending(self, task: Task) -> None:
        if self._live(task):
            task.last_status = "PENDING"
            self._mark(task, "pullStartedAt", "connectivityAt")

    def _pulled(self, task: Task) -> None:
        if not self._live(task):
            return
        secret = self.around.missing_secret(task.definition)
        if secret:
            self._failed_to_start(
                task,
                None,
                "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
                "failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch "
                f"secret {secret} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the "
                "specified secret.",
            )
            return
        for container in task.containers:
            _, problem = self.around.resolve_image(container.image)
            problem = container.behaviour.pull_error or problem
            if problem:
                text = problem if "Error" in problem.split(":")[0] else f"CannotPullContainerError: {problem}"
                self._failed_to_start(task, container, text)
                return
        self._mark(task, "pullStoppedAt")

    def _failed_to_start(self, task: Task, container: Container | None, text: str) -> None:
        if container is not None:
            container.reason = text
        self._end(task, "TaskFailedToStart", text)
        self.failed(task)

    def _running(self, task: Task) -> None:
        if not self._live(task):
            return
        task.last_status = "RUNNING"
        self._mark(task, "startedAt")
        after = self.state.clock.after
        for container in task.containers:
            container.status = "RUNNING"
            behaviour = container.behaviour
            self.around.write_log(task.definition, container.name, task.id, list(behaviour.log_lines))
            exits = behaviour.exits if task.service else behaviour.exits or behaviour.run_task
            if exits and (task.service or container.essential):
                after(exits[0], lambda c=container, code=exits[1]: self._exited(task, c, code))  # type: ignore[misc]
        if task.service:
            self._start_checks(task, task.service)
            self.changed(task.service)

    def _start_checks(self, task: Task, service: Service) -> None:
        balanced = service.body.get("loadBalancers", [])
        if balanced:
            task.target_state, task.target_reason = "initial", "Elb.RegistrationInProgress"
            self.event(service, f"registered 1 targets in (target-group {task.target_group})")
        if not task.checked:
            return
        after = self.state.clock.after
        slowest = max(c.behaviour.healthy_after for c in task.containers)
        failing = next((c.behaviour for c in task.containers if c.behaviour.health_check_fails), None)
        if failing is None:
            after(slowest, lambda: self._passed(task))
            return
        after(failing.unhealthy_after, lambda: self._unhealthy(task))
        grace = float(service.body.get("healthCheckGracePeriodSeconds") or 0)
        after(max(failing.unhealthy_after, grace), lambda: self._killed(task))

    def _passed(self, task: Task) -> None:
        if not self._live(task) or task.last_status != "RUNNING" or task.service is None:
            return
        for container in task.containers:
            container.health = "HEALTHY" if container.checked else "UNKNOWN"
        if task.target_state is not None:
            task.target_state, task.target_reason = "healthy", None
        self.became_healthy(task)
        self.changed(task.service)

    def _unhealthy(self, task: Task) -> None:
        if not self._live(task) or task.last_status != "RUNNING":
            return
        for container in task.containers:
            if container.checked and container.behaviour.health_check_fails:
                container.health = "UNHEALTHY"
        if task.target_state is not None:
            task.target_state, task.target_reason = "unhealthy", "Target.ResponseCodeMismatch"

    def _killed(self, task: Task) -> None:
        """The service scheduler stops a task whose checks fail.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
        """
        service = task.service
        if service is None or not self._live(task) or task.last_status != "RUNNING":
            return
        if task.target_state == "unhealthy":
            balancer = service.body["loadBalancers"][0]
            group = task.target_group
            self.event(
                service,
                f"(port {balancer.get('containerPort', 80)}) is unhealthy in (target-group {group}) "
                "due to (reason Health checks failed with these codes: [503])",
            )
            reason = f"Task failed ELB health checks in (target-group {group})"
        else:
            self.event(service, f"(task {task.id}) failed container health checks.")
            reason = "Task failed container health checks"
        self.stop(task, "ServiceSchedulerInitiated", reason)
        self.failed(task)

    def _exited(self, task: Task, container: Container, code: int) -> None:
        if not self._live(task) or container.status != "RUNNING":
            return
        container.status, container.exit_code = "STOPPED", code
        if container.essential:
            self._end(task, "EssentialContainerExited", "Essential container in task exited")
            if task.service:
                self.failed(task)

    def exit_now(self, task: Task, code: int) -> None:
        """For tests: the task's first essential container ends now with ``code``."""
        container = next(c for c in task.containers if c.essential)
        self._exited(task, container, code)

    def fail_health(self, task: Task) -> None:
        """For tests: a task that was healthy fails its load balancer's check from now on, and is stopped for it."""
        task.target_state, task.target_reason = "unhealthy", "Target.FailedHealthChecks"
        self._killed(task)

    def stop(self, task: Task, code: str, reason: str) -> None:
        """A stop from outside: connections drain first, then the containers get their signal."""
        if task.desired_status == "STOPPED":
            return
        delay = 0.0
        task.desired_status, task.stop_code, task.stopped_reason = "STOPPED", code, reason
        if task.target_state is not None and task.service is not None:
            group = str(task.target_group)
            delay = self.around.deregistration_delay(group)
            task.target_state, task.target_reason = "draining", "Target.DeregistrationInProgress"
            self.event(task.service, f"deregistered 1 targets in (target-group {group})")
            self.event(task.service, "has begun draining connections on 1 tasks.")
        was_running = task.last_status == "RUNNING"
        task.last_status = "DEACTIVATING" if delay else "STOPPING"
        wait = max(c.behaviour.stop for c in task.containers) if was_running else 0.0
        self.state.clock.after(delay, lambda: self._stopping(task))
        self.state.clock.after(delay + wait, lambda: self._end(task, code, reason))

    def _stopping(self, task: Task) -> None:
        if task.last_status not in ("DEPROVISIONING", "STOPPED"):
            task.last_status, task.target_state = "STOPPING", None
            self._mark(task, "stoppingAt")

    def _end(self, task: Task, code: str, reason: str) -> None:
        if task.last_status in ("DEPROVISIONING", "STOPPED"):
            return
        ran = any(c.status != "PENDING" for c in task.containers)
        for container in task.containers:
            # Containers that did not end by themselves were told to (SIGTERM), once the essential one was gone.
            if container.status == "RUNNING" and container.exit_code is None:
                container.exit_code = 143 if code == "EssentialContainerExited" else 0
            container.status = "STOPPED"
        task.desired_status, task.last_status, task.target_state = "STOPPED", "DEPROVISIONING", None
        task.stop_code, task.stopped_reason = code, reason
        task.times.setdefault("stoppingAt", self.state.clock.stamp)
        if ran:
            self._mark(task, "executionStoppedAt")
        self.state.clock.after(DEPROVISION, lambda: self._stopped(task))

    def _stopped(self, task: Task) -> None:
        task.last_status = "STOPPED"
        self._mark(task, "stoppedAt")
        self.state.clock.after(KEPT, lambda: self._forget(task))
        if task.service:
            self.changed(task.service)

    def _forget(self, task: Task) -> None:
        self.state.tasks.pop(task.arn, None)
