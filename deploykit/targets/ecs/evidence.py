"""What a failed task leaves behind: its last log lines, and the finding that names the cause."""

from __future__ import annotations

from collections.abc import Sequence

from deploykit.edges.aws.logs import last_lines
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.errors import OutOfReach
from deploykit.model.finding import Finding
from deploykit.model.log_place import log_place
from deploykit.model.observed import Definition
from deploykit.targets.ecs.crash import Cause, TaskFailure

_LINES = 20

# cause → what happened, and what to do about it
_WORDS: dict[Cause, tuple[str, str]] = {
    "image-missing": (
        "the image cannot be pulled",
        "check that the image exists (`aws ecr describe-images`) and that the execution role may pull it",
    ),
    "program-crash": (
        "the program exits",
        "read the last log lines, fix the program, and deploy again",
    ),
    "load-balancer-check": (
        "the load balancer's health check fails",
        "check that the program listens on the target group's port and answers its health check path in time",
    ),
    "container-check": (
        "the container's own health check fails",
        "run the health check's command in the image; `startPeriod` may be too short",
    ),
    "container-start": (
        "its container cannot be started",
        "check `command`, `entryPoint`, `user` and volumes of the task definition, and the image's architecture",
    ),
    "secret-missing": (
        "a secret of the task definition cannot be read",
        "check that each `valueFrom` exists and that the execution role may read it",
    ),
    "task-failed": ("its tasks fail", "read ECS's reason and the last log lines"),
}


def last_words(aws: Aws, definition: Definition, failure: TaskFailure) -> tuple[str, ...]:
    """The failed container's newest log lines; none where they are not in CloudWatch, not there, or may not be read."""
    name = failure.container.name if failure.container else ""
    place = log_place(definition.container(name), aws.region)
    stream = place.stream(failure.task.id) if place else None
    if place is None or stream is None:
        return ()
    try:
        return tuple(line.text for line in last_lines(aws.in_region(place.region), place.group, stream, _LINES))
    except (AwsRefused, OutOfReach):
        return ()  # the cause is named without them; a missing permission must not hide it


def finding(service: str, failure: TaskFailure, lines: Sequence[str]) -> Finding:
    """Why the service's rollout failed, for people and for --json."""
    happened, hint = _WORDS[failure.cause]
    container = f"container {failure.container.name}" if failure.container else "the task"
    ended = failure.signature.how if failure.signature.how.startswith("exit ") else failure.reason
    evidence = [f"{failure.task.id}: {failure.task.stop_code or 'stopped'}: {failure.reason}".rstrip(": ")]
    if failure.container is not None and failure.container.exit_code is not None:
        evidence.append(f"{container}: exit code {failure.container.exit_code}")
    return Finding(
        id=failure.cause,
        severity="error",
        confidence="high",
        subject=service,
        summary=f"{service}: {happened} ({container}: {ended})",
        evidence=(*evidence, *(f"log: {line}" for line in lines)),
        hint=hint,
    )
