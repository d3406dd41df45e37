"""Values for tests: an observed service, a task, as ECS would describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from deploykit.model.observed import Definition, ObservedService, Rollout, ServiceState, TargetGroup
from deploykit.model.task import Task, TaskContainer

START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
ARN = "arn:aws:ecs:us-east-1:108581769167:task-definition/"


def definition(
    family: str = "web", revision: int = 1, tags: Mapping[str, str] | None = None, **more: Any
) -> Definition:
    content = {
        "taskDefinitionArn": f"{ARN}{family}:{revision}",
        "family": family,
        "revision": revision,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "ecs.capability.task-eni"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": 1763700000.0,
        "registeredBy": "arn:aws:iam::108581769167:root",
        "containerDefinitions": [
            {
                "name": "web",
                "image": "registry/web@sha256:" + "0" * 64,
                "environment": [{"name": "NODE_ENV", "value": "production"}],
                "secrets": [{"name": "API_KEY", "valueFrom": "arn:aws:secretsmanager:…"}],
            },
            {"name": "sidecar", "image": "registry/sidecar:1"},
        ],
        "cpu": "256",
        "memory": "512",
        **more,
    }
    return Definition(content["taskDefinitionArn"], content, dict(tags or {}))


def rollout(identifier: str = "ecs-svc/1", **more: Any) -> Rollout:
    values: dict[str, Any] = {
        "id": identifier,
        "status": "PRIMARY",
        "task_definition": f"{ARN}web:1",
        "state": "COMPLETED",
        "reason": "",
        "desired": 2,
        "running": 2,
        "pending": 0,
        "failed": 0,
        "created": START,
    }
    return Rollout(**{**values, **more})


def service(key: str = "web", rollouts: Sequence[Rollout] = (), **more: Any) -> ServiceState:
    values: dict[str, Any] = {
        "key": key,
        "name": f"dev-{key}",
        "cluster": "dev",
        "arn": f"arn:aws:ecs:us-east-1:108581769167:service/dev/dev-{key}",
        "controller": "ECS",
        "status": "ACTIVE",
        "task_definition": f"{ARN}{key}:1",
        "desired": 2,
        "running": 2,
        "pending": 0,
        "rollouts": tuple(rollouts) or (rollout(),),
        "target_groups": (TargetGroup("arn:tg", key, 80),),
        "events": (),
    }
    return ServiceState(**{**values, **more})


def observed(key: str = "web", **more: Any) -> ObservedService:
    return ObservedService(service(key), definition(key, **more), "web")


def task(
    number: int,
    created: float,
    ended: float | None,
    *,
    exit_code: int | None = 1,
    code: str = "EssentialContainerExited",
    reason: str = "Essential container in task exited",
    container_reason: str = "",
    started_by: str = "ecs-svc/2",
    container: str = "web",
) -> Task:
    """A task that was created and ended so many seconds after START."""
    return Task(
        arn=f"arn:aws:ecs:us-east-1:108581769167:task/dev/{number:032x}",
        started_by=started_by,
        task_definition=f"{ARN}web:2",
        status="STOPPED" if ended is not None else "RUNNING",
        created=START + timedelta(seconds=created),
        ended=None if ended is None else START + timedelta(seconds=ended),
        stop_code=code,
        stop_reason=reason,
        containers=(
            TaskContainer(container, "registry/web", None, "STOPPED", exit_code, container_reason),
            TaskContainer("sidecar", "registry/sidecar", None, "STOPPED", 143 if exit_code is not None else None, ""),
        ),
        addresses=("172.31.0.9",),
    )
