"""ECS tasks: of a service, of a family, and single ones that are run to their end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploykit.edges.aws.portions import portions
from deploykit.edges.aws.session import Aws
from deploykit.model.observed import ServiceName
from deploykit.model.task import Task, TaskContainer

_TASKS_A_CALL = 100  # DescribeTasks takes no more


def list_tasks(aws: Aws, name: ServiceName, desired_status: str, *, retry: bool = True) -> list[Task]:
    """The tasks of a service that should run (``RUNNING``) or have ended within the last hour (``STOPPED``)."""
    arns: list[str] = []
    parameters: dict[str, Any] = {
        "cluster": name.cluster,
        "serviceName": name.service,
        "desiredStatus": desired_status,
    }
    while True:
        answer = aws.call("ecs", "ListTasks", retry=retry, **parameters)
        arns += answer["taskArns"]
        if not answer.get("nextToken"):
            break
        parameters["nextToken"] = answer["nextToken"]
    tasks: list[Task] = []
    for some in portions(arns, _TASKS_A_CALL):
        tasks += map(_task, aws.call("ecs", "DescribeTasks", retry=retry, cluster=name.cluster, tasks=some)["tasks"])
    return tasks


def run_task(aws: Aws, cluster: str, **request: Any) -> tuple[Task | None, str]:
    """Start one task; the task, or why none could be placed (``RESOURCE:MEMORY`` …), in ECS's words.

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
    """One task, up to about an hour after it stopped; None where ECS does not know it (any more, or yet)."""
    found = aws.call("ecs", "DescribeTasks", retry=retry, cluster=cluster, tasks=[arn])["tasks"]
    return _task(found[0]) if found else None


def stop_task(aws: Aws, cluster: str, arn: str, reason: str) -> None:
    """Have a task stopped: its containers get SIGTERM, and SIGKILL after their ``stopTimeout``."""
    aws.call("ecs", "StopTask", cluster=cluster, task=arn, reason=reason)


def list_family_tasks(aws: Aws, cluster: str, family: str) -> list[Task]:
    """The tasks of a family, whoever started them, also those that are stopping or have stopped within the hour.

    ``startedBy`` cannot be asked for together with anything else, and finds no stopped task, so callers filter.
    """
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in aws.pages("ecs", "ListTasks", "taskArns", cluster=cluster, family=family, desiredStatus=status)
    ]
    tasks: list[Task] = []
    for some in portions(list(dict.fromkeys(arns)), _TASKS_A_CALL):
        tasks += map(_task, aws.call("ecs", "DescribeTasks", cluster=cluster, tasks=some)["tasks"])
    return tasks


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
