"""Is this rollout a crash loop, and what is its cause? Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deploykit.model.task import Task, TaskContainer

Cause = Literal[
    "image-missing",
    "program-crash",
    "load-balancer-check",
    "container-check",
    "container-start",
    "secret-missing",
    "task-failed",
]

# Stops that say nothing about the release. https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
_NOT_OURS = {"SpotInterruption", "TerminationNotice", "UserInitiated"}

# The kind of a reason where there is no exit code: (pattern in ECS's own words, kind, cause).
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
_REASONS: tuple[tuple[str, str, Cause], ...] = (
    (r"CannotPull(Container|ImageManifest)|image digest resolution|pull image", "pull", "image-missing"),
    (r"failed ELB health checks", "elb", "load-balancer-check"),
    (r"failed container health checks", "container-check", "container-check"),
    (r"(?is)ResourceInitializationError.*(secret|parameter|asm|ssm)", "secret", "secret-missing"),
    (r"ResourceInitializationError", "resource", "task-failed"),
    (r"OutOfMemory", "memory", "program-crash"),
    (r"Cannot(Start|Create)Container|ContainerRuntime", "start", "container-start"),
)


@dataclass(frozen=True)
class Signature:
    """What must be alike for two failures to be the same."""

    container: str
    stop_code: str
    how: str  # "exit 1", or the kind of reason where no process ended


@dataclass(frozen=True)
class TaskFailure:
    """One failed task and what it says of the cause."""

    task: Task
    container: TaskContainer | None
    signature: Signature
    cause: Cause

    @property
    def reason(self) -> str:
        """ECS's own words: the container's where it has any, else the task's."""
        detail = self.container.reason if self.container else ""
        if detail and detail not in self.task.stop_reason:
            return f"{self.task.stop_reason} ({detail})" if self.task.stop_reason else detail
        return self.task.stop_reason


def failures(tasks: Sequence[Task], rollout: str) -> list[TaskFailure]:
    """The failed tasks of one rollout, oldest first; Spot, scale-in and stops by people are none."""
    ours = [task for task in tasks if task.started_by == rollout and task.ended is not None]
    found = [failure for task in ours if (failure := _failure(task))]
    return sorted(found, key=lambda failure: (failure.task.created is not None, failure.task.created, failure.task.arn))


def crash_loop(found: Sequence[TaskFailure], crash_after: int) -> TaskFailure | None:
    """The failure that makes ``crash_after`` in a row: each a replacement that failed just like its predecessor.

    Tasks started together count once: a task follows another only if it was created after that one had ended.
    """
    depth: dict[str, int] = {}
    for failure in found:
        before = [
            depth[other.task.arn]
            for other in found
            if other.signature == failure.signature and other.task.arn in depth and _follows(failure.task, other.task)
        ]
        depth[failure.task.arn] = 1 + max(before, default=0)
        if depth[failure.task.arn] >= crash_after:
            return failure
    return None


def _follows(task: Task, other: Task) -> bool:
    return task.created is not None and other.ended is not None and task.created >= other.ended


def _failure(task: Task) -> TaskFailure | None:
    if task.stop_code in _NOT_OURS:
        return None
    container = _culprit(task)
    text = f"{task.stop_reason} {container.reason if container else ''}"
    known = next(((kind, cause) for pattern, kind, cause in _REASONS if re.search(pattern, text)), None)
    if task.stop_code == "ServiceSchedulerInitiated" and known is None:
        return None  # scale-in, or tasks of a rollout that was replaced
    if container is not None and container.exit_code is not None and (known is None or known[0] == "memory"):
        how, cause = f"exit {container.exit_code}", known[1] if known else "program-crash"
    elif known is not None:
        how, cause = known
    else:
        how, cause = task.stop_reason.partition(":")[0].strip(), "task-failed"
    name = container.name if container else ""
    return TaskFailure(task, container, Signature(name, task.stop_code, how), cause)


def _culprit(task: Task) -> TaskContainer | None:
    """The container that ended the task: one that failed, else one with a reason, else one that ended at all."""
    ended = [container for container in task.containers if container.exit_code is not None]
    stopped_by_ecs = (0, 137, 143)  # SIGTERM and SIGKILL reach the others once one has ended
    groups = (
        [container for container in ended if container.exit_code not in stopped_by_ecs],
        [container for container in task.containers if container.reason],
        ended,
    )
    return next((group[0] for group in groups if group), None)
