"""The service scheduler: keeps every service at its desired count and completes its deployments.

One thread checks each service a few times a second, and at once when a task or a target changed. rollout.py decides
what it does next; wording.py has the texts of its events.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ministack.core.responses import request_scope
from ministack.services import ecs

from deploykit.sandbox.server.ecs import wording
from deploykit.sandbox.server.ecs.history import History
from deploykit.sandbox.server.ecs.records import Record, event, live, short
from deploykit.sandbox.server.ecs.rollout import Counts, breaker, breaker_threshold, failure_pause, next_step
from deploykit.sandbox.server.ecs.tasks import Tasks

TICK = 0.15

#: A task without a load balancer counts as healthy after running this long (seconds).
STEADY = 1.0

#: The least time that a rollback takes, and how long a FAILED deployment is shown (seconds; on AWS, minutes).
ROLLBACK_SECONDS = 1.0
FAILED_SECONDS = 3.0

#: How long a stopped task is shown (seconds).
STOPPED_SECONDS = 3600.0

#: Failures of one deployment before the event that reports them, with or without a circuit breaker.
UNABLE_AFTER = 3


class Scheduler:
    """Runs the services of one sandbox; it changes records only while it holds the tasks' lock."""

    def __init__(self, tasks: Tasks, history: History) -> None:
        self.tasks = tasks
        self.history = history
        self._wake = threading.Event()
        tasks.changed = self.wake
        tasks.targets.changed = self.wake

    def wake(self) -> None:
        """Check every service now instead of at the next tick."""
        self._wake.set()

    def run_forever(self, failed: Callable[[BaseException], None]) -> None:
        settings = self.tasks.settings
        with request_scope(settings.account, settings.region):
            while not self.tasks.containers.closing:
                self._wake.wait(TICK)
                self._wake.clear()
                for service in list(ecs._services.values()):
                    try:
                        with self.tasks.lock:
                            self.step(service)
                    except Exception as error:  # noqa: BLE001 (a service that cannot be stepped must not stop the rest)
                        failed(error)

    def step(self, service: Record) -> None:
        """Bring one service one step closer to its desired state."""
        mine = self.tasks_of(service)
        if service["status"] == "ACTIVE":
            self._note_ends(service, mine)
            self._note_health(service, mine)
            self._advance(service, mine)
        self._count(service, self.tasks_of(service))
        self._forget(service)

    def _forget(self, service: Record) -> None:
        """Drop tasks that stopped more than an hour ago."""
        for task in self.tasks_of(service):
            if task["lastStatus"] == "STOPPED" and time.time() - task["stoppedAt"] > STOPPED_SECONDS:
                del ecs._tasks[task["taskArn"]]

    def tasks_of(self, service: Record) -> list[Record]:
        group, cluster = f"service:{service['serviceName']}", service["clusterArn"]
        return [t for t in list(ecs._tasks.values()) if t["group"] == group and t["clusterArn"] == cluster]

    # What happened.

    def _note_ends(self, service: Record, mine: list[Record]) -> None:
        primary = service["deployments"][0]
        for task in mine:
            if task["_counted"] or task["desiredStatus"] != "STOPPED":
                continue
            by_itself = task["stopCode"] in ("EssentialContainerExited", "TaskFailedToStart")
            if by_itself and task["lastStatus"] != "STOPPED":
                continue
            task["_counted"] = True
            failed_check = task["stoppedReason"].startswith("Task failed ELB health checks")
            if (by_itself or failed_check) and task["_deployment"] == primary["id"]:
                self._failed(service, primary, task)

    def _failed(self, service: Record, primary: Record, task: Record) -> None:
        primary["_failures"] = primary.get("_failures", 0) + 1
        primary["_retry_at"] = time.monotonic() + failure_pause(primary["_failures"])
        primary["updatedAt"] = time.time()
        if primary["rolloutState"] != "IN_PROGRESS" or task["_healthy_at"] is not None:
            return
        primary["failedTasks"] += 1
        if primary["failedTasks"] % UNABLE_AFTER == 0:
            event(service, wording.UNABLE_TO_START)
        if breaker(service).get("enable") and primary["failedTasks"] >= breaker_threshold(service):
            event(service, wording.DEPLOYMENT_FAILED, deployment=primary["id"])
            self.fail(service, primary, wording.BREAKER_FAILED, roll_back=bool(breaker(service).get("rollback")))

    def fail(self, service: Record, primary: Record, reason: str, roll_back: bool) -> None:
        """End a deployment as FAILED; with ``roll_back`` the last completed one becomes PRIMARY again."""
        primary.update(rolloutState="FAILED", rolloutStateReason=reason, desiredCount=0, updatedAt=time.time())
        previous = service.get("_completed") if roll_back else None
        if not previous or previous["id"] == primary["id"]:
            self.history.failed(service, primary["id"])
            return
        primary["status"] = "ACTIVE"
        previous.update(
            status="PRIMARY",
            desiredCount=service["desiredCount"],
            failedTasks=0,
            rolloutState="IN_PROGRESS",
            rolloutStateReason=f"{reason.partition(':')[0]}: rolling back to deploymentId {previous['id']}.",
            updatedAt=time.time(),
            _retry_at=0.0,
            _failures=0,
            _complete_after=time.time() + ROLLBACK_SECONDS,
        )
        service["taskDefinition"] = previous["taskDefinition"]
        service["deployments"] = [previous] + [d for d in service["deployments"] if d is not previous]
        self.history.rolling_back(service, primary["id"], previous["id"])
        event(service, wording.ROLLING_BACK, deployment=previous["id"])

    def _note_health(self, service: Record, mine: list[Record]) -> None:
        now = time.monotonic()
        grace = float(service.get("healthCheckGracePeriodSeconds") or 0) / self.tasks.settings.pace
        for task in mine:
            if not live(task) or task["lastStatus"] != "RUNNING":
                continue
            task.setdefault("_running_at", now)
            states = self._states(task)
            if "unhealthy" in states and now - task["_running_at"] >= grace:
                group, _, port = target = task["_targets"][states.index("unhealthy")]
                reason = self.tasks.targets.health(*target)[1]
                event(service, wording.UNHEALTHY, port=port, group=group, reason=reason)
                self._stop(service, [task], wording.FAILED_ELB.format(group=group))
            elif task["_healthy_at"] is None and self._is_healthy(task, now):
                task["_healthy_at"] = now
                primary = service["deployments"][0]
                if task["_deployment"] == primary["id"] and breaker(service).get("resetOnHealthyTask", True):
                    primary["failedTasks"] = primary["_failures"] = 0

    def _states(self, task: Record) -> list[str]:
        return [self.tasks.targets.health(*target)[0] for target in task["_targets"]]

    def _is_healthy(self, task: Record, now: float) -> bool:
        if task["lastStatus"] != "RUNNING":
            return False
        if states := self._states(task):
            return all(state == "healthy" for state in states)
        return bool(now - task["_running_at"] >= STEADY)

    # What to do about it.

    def _advance(self, service: Record, mine: list[Record]) -> None:
        primary = service["deployments"][0]
        now = time.monotonic()
        new = [t for t in mine if live(t) and t["_deployment"] == primary["id"]]
        old = [t for t in mine if live(t) and t["_deployment"] != primary["id"]]
        counts = Counts(
            service["desiredCount"],
            len(new),
            sum(self._is_healthy(t, now) for t in new),
            len(old),
            sum(self._is_healthy(t, now) for t in old),
            sum(t["desiredStatus"] == "STOPPED" and t["lastStatus"] != "STOPPED" for t in mine),
        )
        configuration = service.get("deploymentConfiguration") or {}
        most, least = configuration.get("maximumPercent") or 200, configuration.get("minimumHealthyPercent", 100)
        step = next_step(counts, int(most), int(least))
        if primary["rolloutState"] == "FAILED":
            return
        if step.start and now >= primary["_retry_at"]:
            self._start(service, primary, step.start)
        self._scale_in(service, sorted(old, key=lambda t: self._is_healthy(t, now))[: step.stop_old], primary)
        self._scale_in(service, sorted(new, key=lambda t: -t["createdAt"])[: step.stop_new], primary)
        ripe = time.time() >= primary.get("_complete_after", 0.0)
        if step.complete and ripe and primary["rolloutState"] == "IN_PROGRESS":
            self._complete(service, primary)

    def _start(self, service: Record, primary: Record, count: int) -> None:
        definition = ecs._task_defs.get(ecs._resolve_td_key(primary["taskDefinition"]))
        cluster = ecs._clusters.get(short(service["clusterArn"]))
        if not definition or not cluster:
            return
        request = {
            "launchType": service.get("launchType") or "FARGATE",
            "networkConfiguration": service.get("networkConfiguration"),
            "group": f"service:{service['serviceName']}",
            "startedBy": primary["id"],
            "enableExecuteCommand": service.get("enableExecuteCommand"),
            "_deployment": primary["id"],
            "_load_balancers": service.get("loadBalancers"),
        }
        started = [self.tasks.launch(definition, cluster, request) for _ in range(count)]
        event(service, wording.STARTED, count=count, tasks=_ids(started))
        for balancer in service.get("loadBalancers") or []:
            event(service, wording.REGISTERED, count=count, group=balancer["targetGroupArn"])

    def _scale_in(self, service: Record, tasks: list[Record], primary: Record) -> None:
        for balancer in (service.get("loadBalancers") or []) if tasks else ():
            event(service, wording.DRAINING, count=len(tasks))
            event(service, wording.DEREGISTERED, count=len(tasks), group=balancer["targetGroupArn"])
        self._stop(service, tasks, wording.SCALING.format(deployment=primary["id"]))

    def _stop(self, service: Record, tasks: list[Record], reason: str) -> None:
        for task in tasks:
            self.tasks.stop(task, reason, "ServiceSchedulerInitiated")
        if tasks:
            event(service, wording.STOPPED, count=len(tasks), tasks=_ids(tasks))

    def _complete(self, service: Record, primary: Record) -> None:
        reason = wording.COMPLETED.format(deployment=primary["id"])
        primary.update(rolloutState="COMPLETED", rolloutStateReason=reason, updatedAt=time.time(), failedTasks=0)
        service["_completed"] = primary
        self.history.completed(service, primary["id"])
        event(service, wording.DEPLOYMENT_COMPLETED, deployment=primary["id"])
        event(service, wording.STEADY)

    # What DescribeServices shows.

    def _count(self, service: Record, mine: list[Record]) -> None:
        """Recount tasks, and drop deployments without any; a failed one stays for a moment."""
        for deployment in service["deployments"]:
            deployment.update(_counts([t for t in mine if t["_deployment"] == deployment["id"]]))
        shown = [d for d in service["deployments"][1:] if _still_shown(d)]
        service["deployments"] = service["deployments"][:1] + shown
        service.update(_counts(mine))
        if service["status"] == "DRAINING" and all(t["lastStatus"] == "STOPPED" for t in mine):
            service.update(status="INACTIVE", deployments=[])


def _ids(tasks: list[Record]) -> str:
    """The tasks as an event lists them."""
    return " ".join(f"(task {short(task['taskArn'])})" for task in tasks)


def _counts(tasks: list[Record]) -> Record:
    states = [task["lastStatus"] for task in tasks]
    starting = sum(state in ("PROVISIONING", "PENDING", "ACTIVATING") for state in states)
    return {"runningCount": states.count("RUNNING"), "pendingCount": starting}


def _still_shown(deployment: Record) -> bool:
    failed = deployment["rolloutState"] == "FAILED" and time.time() < deployment["updatedAt"] + FAILED_SECONDS
    return bool(deployment["runningCount"] or deployment["pendingCount"] or failed)
