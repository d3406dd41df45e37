"""The life of a task: images, secrets and logs first, then containers, then its end, whatever the cause.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs as logs
from ministack.services import ecs, iam

from deploykit.sandbox.server.data_plane.targets import Targets
from deploykit.sandbox.server.ecs import images, wording
from deploykit.sandbox.server.ecs.containers import DEFAULT_STOP_SECONDS, CannotPull, CannotStart, Containers
from deploykit.sandbox.server.ecs.records import Record, live, new_task, short
from deploykit.sandbox.settings import Settings


class CannotInitialize(Exception):
    """A task's secrets, roles or logs are missing; the message is its stopped reason."""


class Tasks:
    """Starts, watches and stops the tasks of one sandbox. ``changed`` is called after every change of a state."""

    def __init__(self, settings: Settings, containers: Containers, targets: Targets, password: str) -> None:
        self.settings = settings
        self.containers = containers
        self.targets = targets
        self.changed: Callable[[], None] = lambda: None
        self.lock = threading.RLock()
        self._login = {"username": "AWS", "password": password}

    def launch(self, definition: Record, cluster: Record, request: Record) -> Record:
        """Register a task and start it in the background; ``request`` has RunTask's fields."""
        task = new_task(definition, cluster, self.settings.account, self.settings.region, request)
        with self.lock:
            ecs._tasks[task["taskArn"]] = task
            if task["tags"]:
                ecs._tags[task["taskArn"]] = list(task["tags"])
        self._spawn(self._live, task, definition)
        return task

    def stop(self, task: Record, reason: str, code: str) -> None:
        """Ask a task to stop and return at once: its targets drain first, then SIGTERM, stopTimeout, SIGKILL."""
        with self.lock:
            if task["desiredStatus"] == "STOPPED" or task["lastStatus"] == "STOPPED":
                return
            task.update(desiredStatus="STOPPED", stoppedReason=reason, stopCode=code, stoppingAt=time.time())
            task["version"] += 1
            if task["lastStatus"] == "RUNNING":
                task["lastStatus"] = "DEACTIVATING"
        self.changed()
        self._spawn(self._wind_down, task, task["_definition"])

    def _spawn(self, work: Callable[[Record, Record], None], task: Record, definition: Record) -> None:
        def scoped() -> None:
            with request_scope(self.settings.account, self.settings.region):
                work(task, definition)

        task["_definition"] = definition
        threading.Thread(target=scoped, daemon=True, name=f"task-{short(task['taskArn'])[:8]}").start()

    def _live(self, task: Record, definition: Record) -> None:
        try:
            self._start(task, definition)
        except CannotInitialize as error:
            self._ended(task, str(error), "TaskFailedToStart")
        except CannotPull as error:
            reason = str(error)
            if not reason.startswith("CannotPull"):
                reason = wording.cannot_pull_because(definition["containerDefinitions"][0]["image"], reason)
            self._ended(task, reason, "TaskFailedToStart")
        except CannotStart as error:
            self._ended(task, wording.cannot_start(str(error)), "TaskFailedToStart")
        except Exception as error:  # noqa: BLE001 (nobody waits for this thread: a task must not stay PENDING forever)
            traceback.print_exception(error)
            self._ended(task, wording.internal(str(error)), "TaskFailedToStart")

    def _start(self, task: Record, definition: Record) -> None:
        self._move(task, "PENDING")
        self._check_role(definition)
        resolved = [images.resolve(c["image"], self.settings) for c in definition["containerDefinitions"]]
        environments = [self._environment(task, c) for c in definition["containerDefinitions"]]
        for container in definition["containerDefinitions"]:
            _check_logs(container)
        task["pullStartedAt"] = time.time()
        for shown, image in zip(task["containers"], resolved, strict=True):
            self.containers.ensure_image(image.reference, self._login if image.ours else None)
            if image.digest:
                shown["imageDigest"] = image.digest
        task["pullStoppedAt"] = time.time()
        for index, container in enumerate(definition["containerDefinitions"]):
            if not live(task):
                break
            self._start_container(task, container, index, resolved[index].reference, environments[index])
        with self.lock:
            if running := live(task):
                task.update(lastStatus="RUNNING", startedAt=time.time())
                task["version"] += 1
                for balancer in task["_load_balancers"]:
                    target = (balancer["targetGroupArn"], task["_address"], int(balancer["containerPort"]))
                    self.targets.register(*target)
                    task["_targets"].append(target)
        if not running:  # it was stopped while it started: remove the containers started so far
            for container_id in list(task["_containers"]):
                self.containers.remove(container_id)
        self.changed()

    def _start_container(
        self, task: Record, container: Record, index: int, image: str, environment: dict[str, str]
    ) -> None:
        override = _override(task, container["name"])
        definition = {**container, **({"command": override["command"]} if override.get("command") else {})}
        first = task["_containers"][0] if task["_containers"] else None
        name = f"deploykit-{self.settings.instance}-{short(task['taskArn'])[:12]}-{container['name']}"
        labels = {"deploykit.task": task["taskArn"], "deploykit.container": container["name"]}
        started = self.containers.start(image, name, definition, environment, labels, first)
        with self.lock:
            task["_containers"].append(started)
            shown = task["containers"][index]
            shown.update(lastStatus="RUNNING", runtimeId=f"{short(task['taskArn'])}-{index}")
            if first is None:
                self._attach_network(task, started)
            network = {"attachmentId": task["attachments"][0]["id"], "privateIpv4Address": task["_address"]}
            shown["networkInterfaces"] = [network]
        self._spawn(lambda t, d: self._watch(t, d, container, index, started), task, task["_definition"])

    def _attach_network(self, task: Record, container: str) -> None:
        task["_address"] = self.containers.address(container)
        details = [{"name": "privateIPv4Address", "value": task["_address"]}]
        if task["_subnet"]:
            details.insert(0, {"name": "subnetId", "value": task["_subnet"]})
        attachment = {"id": f"eni-{short(task['taskArn'])[:17]}", "type": "ElasticNetworkInterface"}
        task["attachments"] = [{**attachment, "status": "ATTACHED", "details": details}]

    def _watch(self, task: Record, _definition: Record, container: Record, index: int, started: str) -> None:
        stream = _log_stream(task, container)
        follower = threading.Thread(target=self._follow, args=(started, stream), daemon=True)
        follower.start()
        code = self.containers.wait(started)
        follower.join(timeout=2)
        with self.lock:
            shown = task["containers"][index]
            shown["lastStatus"] = "STOPPED"
            if code is not None:
                shown["exitCode"] = code
            by_itself = task["desiredStatus"] == "RUNNING"
        if by_itself and container.get("essential", True):
            self._exited(task)

    def _follow(self, container: str, stream: tuple[str, str] | None) -> None:
        def line(text: str) -> None:
            if stream and text:
                event = {"timestamp": int(time.time() * 1000), "message": text}
                logs._put_log_events({"logGroupName": stream[0], "logStreamName": stream[1], "logEvents": [event]})

        with request_scope(self.settings.account, self.settings.region):
            self.containers.follow(container, line)

    def _exited(self, task: Record) -> None:
        """An essential container ended: the task ends with it, and its targets get no more requests."""
        with self.lock:
            if task["desiredStatus"] == "STOPPED":
                return
            task.update(stoppedReason=wording.ESSENTIAL_EXITED, stopCode="EssentialContainerExited")
            task.update(desiredStatus="STOPPED", lastStatus="STOPPING", stoppingAt=time.time())
            for target in task["_targets"]:
                self.targets.remove(*target)
        self._stop_containers(task, task["_definition"])
        self._ended(task, wording.ESSENTIAL_EXITED, "EssentialContainerExited")

    def _wind_down(self, task: Record, definition: Record) -> None:
        for target in task["_targets"]:
            self.targets.deregister(*target)
        for target in task["_targets"]:
            self.targets.await_drained(*target)
        task["lastStatus"] = "STOPPING"
        self._stop_containers(task, definition)
        self._ended(task, task["stoppedReason"], task["stopCode"])

    def _stop_containers(self, task: Record, definition: Record) -> None:
        described = definition["containerDefinitions"]
        patience = {c["name"]: int(c.get("stopTimeout") or DEFAULT_STOP_SECONDS) for c in described}
        stoppers = [
            threading.Thread(target=self.containers.stop, args=(container, patience[shown["name"]]))
            for shown, container in zip(task["containers"], list(task["_containers"]), strict=False)
        ]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        self._await_exit_codes(task)

    def _await_exit_codes(self, task: Record) -> None:
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with self.lock:
                if all(shown["lastStatus"] != "RUNNING" for shown in task["containers"]):
                    return
            time.sleep(0.02)

    def _ended(self, task: Record, reason: str, code: str) -> None:
        now = time.time()
        with self.lock:
            task.update(lastStatus="STOPPED", desiredStatus="STOPPED", stoppedReason=reason, stopCode=code)
            task.update(stoppedAt=now, **{k: task.get(k) or now for k in ("executionStoppedAt", "stoppingAt")})
            task["version"] += 1
            for shown in task["containers"]:
                shown["lastStatus"] = "STOPPED"
            gone, task["_containers"] = task["_containers"], []
        self.changed()
        for container in gone:
            self.containers.remove(container)

    def _move(self, task: Record, state: str) -> None:
        with self.lock:
            if live(task):
                task["lastStatus"] = state
                task["version"] += 1

    def _environment(self, task: Record, container: Record) -> dict[str, str]:
        """The container's variables: its own, its secrets, the override's, and those Fargate adds.

        Raises CannotInitialize when a secret is missing.
        """
        try:
            secrets = ecs._resolve_container_secrets(container)
        except ecs._SecretResolutionError as error:
            raise CannotInitialize(wording.no_secret(str(error))) from error
        return {
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            **{e["name"]: e["value"] for e in container.get("environment") or []},
            **secrets,
            **{e["name"]: e["value"] for e in _override(task, container["name"]).get("environment") or []},
        }

    def _check_role(self, definition: Record) -> None:
        for field in ("executionRoleArn", "taskRoleArn"):
            role = definition.get(field)
            if role and short(role) not in iam._roles:
                raise CannotInitialize(wording.no_role(role))


def _override(task: Record, container: str) -> Record:
    found = (o for o in task["overrides"].get("containerOverrides") or [] if o.get("name") == container)
    return next(found, {})


def _options(container: Record) -> dict[str, Any]:
    configuration = container.get("logConfiguration") or {}
    return (configuration.get("options") or {}) if configuration.get("logDriver") == "awslogs" else {}


def _check_logs(container: Record) -> None:
    group = _options(container).get("awslogs-group")
    if not group or group in logs._log_groups:
        return
    if str(_options(container).get("awslogs-create-group", "")).lower() != "true":
        raise CannotInitialize(wording.no_log_group(group))
    logs._create_log_group({"logGroupName": group})


def _log_stream(task: Record, container: Record) -> tuple[str, str] | None:
    """Group and stream of the container's log, created if missing; None without the awslogs driver."""
    options = _options(container)
    group = options.get("awslogs-group")
    if not group:
        return None
    stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container['name']}/{short(task['taskArn'])}"
    logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    return group, stream
