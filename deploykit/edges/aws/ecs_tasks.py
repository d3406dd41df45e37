"""ECS tasks: of a service, of a family, and one-off tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import portions
from deploykit.model.observed import ServiceName
from deploykit.model.task import Task, TaskContainer

_TASKS_A_CALL = 100  # DescribeTasks takes no more


def list_tasks(aws: Aws, name: ServiceName, desired_status: str, *, retry: bool = True) -> list[Task]:
    """The tasks of a service that should run (``RUNNING``) or have ended within the last hour (``STOPPED``)."""
    asked = {"cluster": name.cluster, "serviceName": name.service, "desiredStatus": desired_status}
    arns = list(aws.pages("ecs", "ListTasks", "taskArns", retry=retry, **asked))
    return _described(aws, name.cluster, arns, retry)


def run_task(aws: Aws, cluster: str, **request: Any) -> tuple[Task | None, str]:
    """Start one task: the task, or ECS's reason why it could not be placed (``RESOURCE:MEMORY`` …).

    ``request``: RunTask's own parameters. The same ``clientToken`` with the same parameters gives the first answer
    again: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
    Raises: NotAllowed, AwsRefused, AwsUnreachable (it may have started), Throttled.
    """
    answer = aws.call("ecs", "RunTask", cluster=cluster, count=1, **request)
    if answer["tasks"]:
        return _task(answer["tasks"][0]), ""
    said = [" ".join(filter(None, (f.get("reason"), f.get("detail")))) for f in answer.get("failures") or ()]
    return None, "; ".join(filter(None, said)) or "ECS gave no reason"


def describe_task(aws: Aws, cluster: str, arn: str, *, retry: bool = True) -> Task | None:
    """One task, until about an hour after it stopped; None where ECS does not know it (yet, or any more)."""
    found = aws.call("ecs", "DescribeTasks", retry=retry, cluster=cluster, tasks=[arn])["tasks"]
    return _task(found[0]) if found else None


def stop_task(aws: Aws, cluster: str, arn: str, reason: str) -> None:
    """Stop a task: its containers get SIGTERM, and SIGKILL after their ``stopTimeout``."""
    aws.call("ecs", "StopTask", cluster=cluster, task=arn, reason=reason)


def list_family_tasks(aws: Aws, cluster: str, family: str) -> list[Task]:
    """The tasks of a family, whoever started them, and those that are stopping or stopped within the last hour.

    ListTasks takes ``startedBy`` with no other filter and finds no stopped tasks by it, so callers filter.
    """
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in aws.pages("ecs", "ListTasks", "taskArns", cluster=cluster, family=family, desiredStatus=status)
    ]
    return _described(aws, cluster, list(dict.fromkeys(arns)))


def _described(aws: Aws, cluster: str, arns: Sequence[str], retry: bool = True) -> list[Task]:
    calls = (
        aws.call("ecs", "DescribeTasks", retry=retry, cluster=cluster, tasks=some)
        for some in portions(arns, _TASKS_A_CALL)
    )
    return [_task(task) for answer in calls for task in answer["tasks"]]


def _task(task: Mapping[str, Any]) -> Task:
    moments = [task[name] for name in ("stoppingAt", "executionStoppedAt", "stoppedAt") if task.get(name)]
    details = [pair for attachment in task.get("attachments") or () for pair in attachment.get("details") or ()]
    addresses = [pair["value"] for pair in details if pair.get("name") == "privateIPv4Address"]
    return Task(
        arn=task["taskArn"],
        started_by=task.get("startedBy") or "",
        task_definition=task["taskDefinitionArn"],
        status=task.get("lastStatus") or "",
        created=task.get("createdAt"),
        started=task.get("startedAt"),
        ended=min(moments) if moments else None,
        stop_code=task.get("stopCode") or "",
        stop_reason=task.get("stoppedReason") or "",
        containers=tuple(
            TaskContainer(
                name=container["name"],
                image=container.get("image") or "",
                digest=container.get("imageDigest"),
                status=container.get("lastStatus") or "",
                exit_code=container.get("exitCode"),
                reason=container.get("reason") or "",
            )
            for container in task.get("containers") or ()
        ),
        addresses=tuple(addresses),
    )
