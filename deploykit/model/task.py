"""Tasks: what ECS ran, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TaskContainer:
    """One container of a task. ``exit_code`` is None while it runs, and where it never started."""

    name: str
    image: str
    digest: str | None
    status: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True)
class Task:
    """One ECS task.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
    """

    arn: str
    started_by: str  # the id of the ECS deployment that wanted it: "ecs-svc/…"
    task_definition: str
    status: str
    created: datetime | None
    ended: datetime | None  # the first moment ECS gave it up: a replacement can start from then on
    stop_code: str  # EssentialContainerExited, TaskFailedToStart, ServiceSchedulerInitiated, SpotInterruption, …
    stop_reason: str
    containers: tuple[TaskContainer, ...]
    addresses: tuple[str, ...]  # private IPv4
    started: datetime | None = None  # when its containers ran; None where they never did

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]
