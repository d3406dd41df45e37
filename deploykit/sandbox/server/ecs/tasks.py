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
from deploykit.sandbox.server.ecs.containers import DEFAULT_STOP_SECONDS, CannotStart, Containers
from deploykit.sandbox.server.ecs.records import Record, live, new_task, short
from deploykit.sandbox.settings import Settings


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
        self._spawn(task, self._live)
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
        self._spawn(task, self._wind_down)

    def _spawn(self, task: Record, work: Callable[..., None], *more: Any) -> None:
        def scoped() -> None:
            with request_scope(self.settings.account, self.settings.region):
                work(task, *more)

        threading.Thread(target=scoped, daemon=True, name=f"task-{short(task['taskArn'])[:8]}").start()

    def _live(self, task: Record) -> None:
        try:
            self._start(task, task["_definition"])
        except CannotStart as error:
            self._ended(task, str(error), "TaskFailedToStart")
        except Exception as error:  # noqa: BLE001 (nobody waits for this thread: a task must not stay PENDING forever)
            traceback.print_exception(error)
            self._ended(task, wording.INTERNAL.format(detail=error), "TaskFailedToStart")

    def _start(self, task: Record, definition: Record) -> None:
        with self.lock:
            if live(task):
                task["lastStatus"] = "PENDING"
                task["version"] += 1
        for role in filter(None, (definition.get("executionRoleArn"), definition.get("taskRoleArn"))):
            if short(role) not in iam._roles:
                raise CannotStart(wording.NO_ROLE.format(role=role))
        resolved = [images.resolve(c["image"], self.settings) for c in definition["containerDefinitions"]]
        environments = [self._environment(task, c) for c in definition["containerDefinitions"]]
        for container in definition["containerDefinitions"]:
            _check_logs(container)
        task["pullStartedAt"] = time.time()
        for shown, image in zip(task["containers"], resolved, strict=True):
            self.containers.ensure_image(image.reference, self._login if image.ours else None, shown["image"])
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
        self._spawn(task, self._watch, container, index, started)

    def _attach_network(self, task: Record, container: str) -> None:
        task["_address"] = self.containers.address(container)
        details = [{"name": "privateIPv4Address", "value": task["_address"]}]
        if task["_subnet"]:
            details.insert(0, {"name": "subnetId", "value": task["_subnet"]})
        attachment = {"id": f"eni-{short(task['taskArn'])[:17]}", "type": "ElasticNetworkInterface"}
        task["attachments"] = [{**attachment, "status": "ATTACHED", "details": details}]

    def _watch(self, task: Record, container: Record, index: int, started: str) -> None:
        follower = threading.Thread(target=self._follow, args=(started, _log_stream(task, container)), daemon=True)
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
        """End a task whose essential container ended, and send its targets no more requests."""
        with self.lock:
            if task["desiredStatus"] == "STOPPED":
                return
            task.update(stoppedReason=wording.ESSENTIAL_EXITED, stopCode="EssentialContainerExited")
            task.update(desiredStatus="STOPPED", lastStatus="STOPPING", stoppingAt=time.time())
            for target in task["_targets"]:
                self.targets.remove(*target)
        self._stop_containers(task)
        self._ended(task, wording.ESSENTIAL_EXITED, "EssentialContainerExited")

    def _wind_down(self, task: Record) -> None:
        for target in task["_targets"]:
            self.targets.deregister(*target)
        for target in task["_targets"]:
            self.targets.await_drained(*target)
        task["lastStatus"] = "STOPPING"
        self._stop_containers(task)
        self._ended(task, task["stoppedReason"], task["stopCode"])

    def _stop_containers(self, task: Record) -> None:
        described = task["_definition"]["containerDefinitions"]
        patience = [int(container.get("stopTimeout") or DEFAULT_STOP_SECONDS) for container in described]
        running = list(zip(task["_containers"], patience, strict=False))  # fewer, if it was stopped while it started
        stoppers = [threading.Thread(target=self.containers.stop, args=each) for each in running]
        for stopper in stoppers:
            stopper.start()
        for stopper in stoppers:
            stopper.join()
        # Each container's _watch records its exit code.
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

    def _environment(self, task: Record, container: Record) -> dict[str, str]:
        """The container's variables: its own, its secrets, the override's, and those Fargate adds.

        Raises CannotStart when a secret is missing.
        """
        try:
            secrets = ecs._resolve_container_secrets(container)
        except ecs._SecretResolutionError as error:
            raise CannotStart(wording.NOT_RETRIEVED.format(detail=error)) from error
        return {
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
            **{e["name"]: e["value"] for e in container.get("environment") or []},
            **secrets,
            **{e["name"]: e["value"] for e in _override(task, container["name"]).get("environment") or []},
        }


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
        raise CannotStart(wording.NO_LOG_GROUP.format(group=group))
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
