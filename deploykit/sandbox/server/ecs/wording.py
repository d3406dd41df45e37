"""The sentences ECS writes: service events, reasons of stopped tasks and of deployments.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from __future__ import annotations

ESSENTIAL_EXITED = "Essential container in task exited"
UNABLE_TO_START = (
    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of "
    "the Amazon ECS Developer Guide."
)
BREAKER_FAILED = "ECS deployment circuit breaker: tasks failed to start."


def tasks(ids: list[str]) -> str:
    """The task ids as an event lists them."""
    return " ".join(f"(task {task})" for task in ids) + "."


def started(ids: list[str]) -> str:
    return f"has started {len(ids)} tasks: {tasks(ids)}"


def stopped(ids: list[str]) -> str:
    return f"has stopped {len(ids)} running tasks: {tasks(ids)}"


def draining(count: int) -> str:
    return f"has begun draining connections on {count} tasks."


def registered(count: int, group: str) -> str:
    return f"registered {count} targets in (target-group {group})"


def deregistered(count: int, group: str) -> str:
    return f"deregistered {count} targets in (target-group {group})"


def unhealthy(port: int, group: str, reason: str) -> str:
    return f"(port {port}) is unhealthy in (target-group {group}) due to (reason {reason})."


def failed_elb(group: str) -> str:
    return f"Task failed ELB health checks in (target-group {group})"


def scaling(deployment: str) -> str:
    return f"Scaling activity initiated by (deployment {deployment})"


def in_progress(deployment: str) -> str:
    return f"ECS deployment {deployment} in progress."


def completed(deployment: str) -> str:
    return f"ECS deployment {deployment} completed."


def cannot_pull(image: str) -> str:
    return (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        f"{image}: {image}: not found"
    )


def cannot_pull_because(image: str, detail: str) -> str:
    return f"CannotPullContainerError: failed to pull image {image}: {detail}"


def cannot_start(detail: str) -> str:
    return f"CannotStartContainerError: {detail}"


def internal(detail: str) -> str:
    return f"InternalError: {detail}"


def no_secret(detail: str) -> str:
    return (
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        f"unable to retrieve secret from asm: service call has been retried 1 time(s): {detail}"
    )


def no_log_group(group: str) -> str:
    return (
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        "to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. "
        f"({group})"
    )


def no_role(role: str) -> str:
    return (
        f"ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role "
        "being passed has the proper trust relationship and permissions and that your IAM user has permissions to "
        "pass this role."
    )
