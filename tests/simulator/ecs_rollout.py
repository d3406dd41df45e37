"""The service scheduler: rolling updates, their completion, the circuit breaker, rollback, and being superseded.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
"""

from __future__ import annotations

import math
from typing import Any

from tests.simulator.ecs_shift import Shifting, shifts
from tests.simulator.ecs_state import EcsState, Rollout, Service, Task, TaskDefinition
from tests.simulator.ecs_tasks import Tasks

SCHEDULING = 1.0
"""Seconds from a call to the scheduler's first move."""
RESTART = 10.0
"""Seconds from a task's failure to its replacement."""
PLACING = 30.0
"""Seconds until tasks that found no place are tried again."""
SETTLED = 5.0
"""Seconds for which tasks that nothing checks must have run before the scheduler calls the service steady.

Not documented; ECS looks from time to time. A worker that crashes later than this ends COMPLETED, there as here.
"""
LONGEST_WAIT = 27 * 60.0
"""Upper end of the wait after tasks that never reached RUNNING.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
"""
ONGOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


def threshold(service: Service) -> int:
    """Failures that trip the circuit breaker.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ThresholdConfiguration.html
    """
    limits: dict[str, Any] = service.configuration.get("deploymentCircuitBreaker", {}).get("thresholdConfiguration", {})
    kind, value = limits.get("type", "BOUNDED_PERCENT"), int(limits.get("value", 50))
    if kind == "COUNT":
        return value
    share: int = math.ceil(service.desired * value / 100)
    return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))


class Scheduler:
    """Brings every service towards its PRIMARY deployment."""

    def __init__(self, state: EcsState, tasks: Tasks) -> None:
        self.state, self.tasks = state, tasks
        tasks.changed = self.reconcile
        tasks.failed = self.failed
        tasks.became_healthy = self.became_healthy
        tasks.event = self.event
        self.shifting = Shifting(state, tasks, self.start, self.reconcile)

    def event(self, service: Service, text: str) -> None:
        """AWS keeps the newest hundred, newest first."""
        entry = {
            "id": self.state.fresh_id(),
            "createdAt": self.state.clock.stamp,
            "message": f"(service {service.name}) {text}",
        }
        service.events.insert(0, entry)
        del service.events[100:]

    # -- beginning -------------------------------------------------------------------------------------------------

    def begin(self, service: Service, definition: TaskDefinition) -> Rollout:
        """A new PRIMARY deployment; what was under way is superseded."""
        stamp, previous = self.state.clock.stamp, list(service.deployments)
        place = f"{service.cluster}/{service.name}"
        revision = self.state.arn("service-revision", f"{place}/{self.state.fresh_number()}")
        service.revisions[revision] = definition
        for old in previous:
            old.status = "ACTIVE"
            record = old.record
            if record and record["status"] in ONGOING:
                record.update(status="STOPPED", statusReason="Superseded by a newer service deployment.")
                record.update(stoppedAt=stamp, finishedAt=stamp, updatedAt=stamp)
        rollout = Rollout(f"ecs-svc/{self.state.fresh_number()}", definition, revision, stamp, stamp)
        rollout.reason = f"ECS deployment {rollout.id} in progress."
        rollout.record = {
            "serviceDeploymentArn": self.state.arn("service-deployment", f"{place}/{self.state.fresh_id()[:21]}"),
            "serviceArn": service.arn,
            "clusterArn": self.state.arn("cluster", service.cluster),
            "createdAt": stamp,
            "updatedAt": stamp,
            "sources": [d.revision_arn for d in previous],
            "target": revision,
            "status": "PENDING",
        }
        service.records.insert(0, rollout.record)
        service.deployments.insert(0, rollout)
        service.definition, service.steady = definition, False
        self.shifting.begin(service, rollout, previous)
        self.state.clock.after(SCHEDULING, lambda: self._first_move(service, rollout))
        return rollout

    def _first_move(self, service: Service, rollout: Rollout) -> None:
        if rollout.record["status"] == "PENDING":
            rollout.record.update(status="IN_PROGRESS", startedAt=self.state.clock.stamp)
            self.shifting.first_move(service, rollout)
        self.reconcile(service)

    # -- moving ----------------------------------------------------------------------------------------------------

    def reconcile(self, service: Service) -> None:
        """One look of the scheduler: stop what is too much, start what is missing, notice the end."""
        if service.controller != "ECS" or service.status != "ACTIVE" or not service.deployments:
            return
        primary = service.primary
        if primary.record["status"] == "PENDING":
            return
        if shifts(service) and primary.rollout_state == "FAILED":
            return  # what serves stays as it is
        if self.shifting.holds(service, primary):
            self.shifting.tend(service, primary)
            return
        self._stop_old(service, primary)
        self._start_new(service, primary)
        self._drop_empty(service)
        self._notice_end(service, primary)

    def _live(self, service: Service) -> list[Task]:
        return [task for task in self.state.tasks_of(service) if task.desired_status == "RUNNING"]

    def _stop_old(self, service: Service, primary: Rollout) -> None:
        live = self._live(service)
        lower = math.ceil(service.desired * service.configuration["minimumHealthyPercent"] / 100)
        healthy = sum(task.healthy for task in live)
        mine = [task for task in live if task.deployment is primary]
        # Of its own tasks only those beyond the desired count go, the least healthy first.
        surplus = sorted(mine, key=lambda task: task.healthy)[: max(0, len(mine) - service.desired)]
        old = sorted((task for task in live if task.deployment is not primary), key=lambda task: task.healthy)
        stopped, kept = [], 0
        for task in surplus + old:
            if self.state.protected(task):
                kept += 1
                continue
            if task.healthy and task not in surplus:
                if healthy - 1 < lower:
                    break
                healthy -= 1
            by = task.deployment.id if task.deployment else primary.id
            self.tasks.stop(task, "ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {by})")
            stopped.append(task)
        if kept:
            self._blocked(service, primary, f"was unable to scale in due to (reason {kept} tasks under protection)")
        if stopped:
            service.steady = False
            names = " ".join(f"(task {task.id})" for task in stopped)
            self.event(service, f"has stopped {len(stopped)} running tasks: {names}.")

    def _start_new(self, service: Service, primary: Rollout) -> None:
        if primary.rollout_state == "FAILED":
            return
        live = self._live(service)
        upper = math.floor(service.desired * service.configuration["maximumPercent"] / 100)
        missing = service.desired - sum(task.deployment is primary for task in live)
        count = min(missing, upper - len(live))
        if count <= 0:
            ending = [t for t in self.state.tasks_of(service) if t.last_status != "STOPPED" and t not in live]
            if missing > 0 and not ending and all(task.healthy for task in live):
                self._blocked(
                    service,
                    primary,
                    "was unable to stop or start tasks during a deployment because of the service deployment "
                    "configuration. Update the minimumHealthyPercent or maximumPercent value and try again.",
                )
            return
        self.start(service, primary, count)

    def start(self, service: Service, primary: Rollout, count: int) -> None:
        """Launch tasks of a rollout, unless there is no place for them or failed ones are still waited after."""
        if service.no_place is not None:
            self._blocked(service, primary, f"was unable to place a task. Reason: {service.no_place}")
            self.state.clock.after(PLACING, lambda: self.reconcile(service))
            return
        service.steady = False
        wait = primary.retry_at - self.state.clock.now
        if wait > 0:
            self.state.clock.after(wait, lambda: self.reconcile(service))
            return
        started = [
            self.tasks.launch(
                service.cluster,
                primary.definition,
                service=service,
                deployment=primary,
                group=f"service:{service.name}",
                started_by=primary.id,
            )
            for _ in range(count)
        ]
        names = " ".join(f"(task {task.id})" for task in started)
        self.event(service, f"has started {count} tasks: {names}.")

    def _blocked(self, service: Service, primary: Rollout, text: str) -> None:
        """Say once for each deployment what keeps it from going on.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
        """
        if f"{primary.id}: {text}" not in service.blocked:
            service.blocked.add(f"{primary.id}: {text}")
            self.event(service, text)

    def _drop_empty(self, service: Service) -> None:
        """A deployment that is not PRIMARY any more leaves the list with its last task."""
        busy = {
            task.deployment.id
            for task in self.state.tasks_of(service)
            if task.deployment is not None and task.last_status != "STOPPED"
        }
        for rollout in [d for d in service.deployments if d.status != "PRIMARY" and d.id not in busy]:
            rollout.status = "INACTIVE"
            service.deployments.remove(rollout)

    def _notice_end(self, service: Service, primary: Rollout) -> None:
        mine = [task for task in self._live(service) if task.deployment is primary]
        if len(service.deployments) > 1 or len(mine) != service.desired or not all(task.healthy for task in mine):
            return
        stamp = self.state.clock.stamp
        wait = max((SETTLED - (stamp - task.times["startedAt"]) for task in mine if not task.checked), default=0.0)
        if wait > 1e-6 and not service.steady:
            self.state.clock.after(wait, lambda: self.reconcile(service))
            return
        if primary.rollout_state == "IN_PROGRESS":
            primary.rollout_state, primary.completed, primary.updated_at = "COMPLETED", True, stamp
            primary.reason = f"ECS deployment {primary.id} completed."
            primary.in_a_row = 0
            service.last_completed = primary.definition
            if shifts(service):
                self.shifting.serve(service, primary)
            self._close_records(service, stamp)
            self.event(service, f"(deployment {primary.id}) deployment completed.")
        if primary.rollout_state == "COMPLETED" and not service.steady:
            service.steady = True
            self.event(service, "has reached a steady state.")

    def _close_records(self, service: Service, stamp: float) -> None:
        ends = {"IN_PROGRESS": "SUCCESSFUL", "ROLLBACK_IN_PROGRESS": "ROLLBACK_SUCCESSFUL"}
        for record in service.records:
            if record["status"] in ends:
                record.update(status=ends[record["status"]], finishedAt=stamp, updatedAt=stamp)

    # -- failing ---------------------------------------------------------------------------------------------------

    def became_healthy(self, task: Task) -> None:
        """A task that passes its checks ends a row of failures (resetOnHealthyTask, on by default).

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentCircuitBreaker.html
        Tasks that nothing checks never do: else no image that crashes after its start could trip the breaker.
        """
        rollout, service = task.deployment, task.service
        if rollout is None or service is None:
            return
        rollout.in_a_row = 0
        if service.configuration.get("deploymentCircuitBreaker", {}).get("resetOnHealthyTask", True):
            rollout.breaker_count = 0

    def failed(self, task: Task) -> None:
        """A task of a service ended by itself, never started, or failed its checks."""
        service, rollout = task.service, task.deployment
        if service is None or rollout is None:
            return
        rollout.in_a_row += 1
        wait = RESTART
        if task.stop_code == "TaskFailedToStart":
            wait = min(LONGEST_WAIT, RESTART * 2 ** (rollout.in_a_row - 1))
        rollout.retry_at = self.state.clock.now + wait
        if rollout.in_a_row % 3 == 0:
            self.event(
                service,
                "is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
                "section of the Amazon ECS Developer Guide.",
            )
        if rollout.rollout_state == "IN_PROGRESS":
            rollout.failed_tasks += 1
            rollout.breaker_count += 1
            rollout.updated_at = self.state.clock.stamp
            self._breaker(service, rollout)
        self.reconcile(service)

    def _breaker(self, service: Service, rollout: Rollout) -> None:
        breaker = service.configuration.get("deploymentCircuitBreaker", {})
        if not breaker.get("enable") or rollout.status != "PRIMARY" or rollout.breaker_count < threshold(service):
            return
        rollout.rollout_state = "FAILED"
        rollout.reason = "ECS deployment circuit breaker: tasks failed to start."
        self.event(service, f"(deployment {rollout.id}) deployment failed: tasks failed to start.")
        record, stamp = rollout.record, self.state.clock.stamp
        if breaker.get("rollback") and service.last_completed is not None:
            text = "Service deployment rolled back because the circuit breaker threshold was exceeded."
            self._roll_back(service, rollout, text, "ECS deployment circuit breaker: rolling back to deploymentId {}.")
        else:
            record.update(status="ROLLBACK_FAILED" if breaker.get("rollback") else "STOPPED")
            record.update(statusReason=rollout.reason, finishedAt=stamp, updatedAt=stamp)

    # -- going back ------------------------------------------------------------------------------------------------

    def request_rollback(self, service: Service, rollout: Rollout) -> None:
        """StopServiceDeployment: ROLLBACK_REQUESTED at once, back to the previous service revision a moment later."""
        stamp = self.state.clock.stamp
        rollout.record.update(status="ROLLBACK_REQUESTED", updatedAt=stamp, stoppedAt=stamp)
        self.state.clock.after(SCHEDULING, lambda: self._obey(service, rollout))

    def _obey(self, service: Service, rollout: Rollout) -> None:
        record = rollout.record
        if record["status"] != "ROLLBACK_REQUESTED" or rollout.status != "PRIMARY":
            return
        rollout.rollout_state = "FAILED"
        rollout.reason = "ECS deployment stopped: service deployment stop requested by user."
        if len(service.deployments) == 1 and service.last_completed is None:
            stamp = self.state.clock.stamp
            record.update(status="ROLLBACK_FAILED", finishedAt=stamp, updatedAt=stamp)
            record["statusReason"] = "There is no previous service revision to roll back to."
            return
        text = "Service deployment rolled back because of a stop request by user."
        self._roll_back(service, rollout, text, "ECS deployment rolling back to deploymentId {}.", previous=True)
        self.reconcile(service)

    def _roll_back(self, service: Service, failed: Rollout, text: str, reason: str, *, previous: bool = False) -> None:
        """The breaker goes to the last deployment that completed, a stop request to the one before this."""
        stamp = self.state.clock.stamp
        others = [d for d in service.deployments if d is not failed and (previous or d.completed)]
        failed.status, failed.updated_at = "ACTIVE", stamp
        if others:
            target = others[0]
        else:
            definition = service.last_completed
            if definition is None:
                raise AssertionError("a rollback needs something to go back to")
            revision = self.state.arn(
                "service-revision", f"{service.cluster}/{service.name}/{self.state.fresh_number()}"
            )
            target = Rollout(f"ecs-svc/{self.state.fresh_number()}", definition, revision, stamp, stamp)
            target.record = failed.record
            service.revisions[revision] = definition
            service.deployments.append(target)
        service.deployments.remove(target)
        service.deployments.insert(0, target)
        target.status, target.rollout_state, target.reason = "PRIMARY", "IN_PROGRESS", reason.format(target.id)
        target.updated_at, target.retry_at = stamp, 0.0
        target.failed_tasks = target.breaker_count = target.in_a_row = 0
        service.definition, service.steady = target.definition, False
        if shifts(service):
            self.shifting.serve(service, target)
        record = failed.record
        record.update(status="ROLLBACK_IN_PROGRESS", statusReason=text, updatedAt=stamp)
        record["rollback"] = {"reason": text, "startedAt": stamp, "serviceRevisionArn": target.revision_arn}
        self.event(service, f"rolling back to deployment {target.id}.")
