"""ECS: services, task definitions and tasks, in deploykit's nouns.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.errors import FailedBefore
from deploykit.model.observed import Definition, Rollout, ServiceName, ServiceState, TargetGroup
from deploykit.model.task import Task, TaskContainer

_SERVICES_A_CALL = 10  # DescribeServices takes no more
_TASKS_A_CALL = 100  # DescribeTasks takes no more
# What DescribeServices and RunTask name alike. A service has a launch type or a capacity provider strategy, never both:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
_PLACING = (
    "networkConfiguration",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "placementConstraints",
    "placementStrategy",
)
_Item = TypeVar("_Item")


def describe_services(aws: Aws, names: Sequence[ServiceName], *, retry: bool = True) -> dict[str, ServiceState]:
    """The services that exist, by key; ten a call and cluster. Missing ones are left out.

    Raises: FailedBefore where the cluster itself does not exist.
    """
    found: dict[str, ServiceState] = {}
    for cluster in dict.fromkeys(name.cluster for name in names):
        keys = {name.service: name.key for name in names if name.cluster == cluster}
        for some in _portions(list(keys), _SERVICES_A_CALL):
            try:
                answer = aws.call("ecs", "DescribeServices", retry=retry, cluster=cluster, services=some)
            except AwsRefused as refusal:
                if refusal.error != "ClusterNotFoundException":
                    raise
                raise FailedBefore(
                    f"ECS cluster {cluster} does not exist in {aws.region}",
                    "check `cluster` in deploykit.toml; `aws ecs list-clusters` shows what is there",
                ) from refusal
            for service in answer["services"]:
                if service["status"] != "INACTIVE":  # a deleted service is still described for a while
                    key = keys[service["serviceName"]]
                    found[key] = _service(key, service)
    return found


def list_services(aws: Aws, cluster: str) -> list[str]:
    """The names of a cluster's services, in ECS's order.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused (ClusterNotFoundException).
    """
    listed = aws.pages("ecs", "ListServices", "serviceArns", cluster=cluster, maxResults=100)
    return [str(arn).rsplit("/", 1)[-1] for arn in listed]


def list_clusters(aws: Aws) -> list[str]:
    """The names of the region's clusters. Raises: NotAllowed, AwsUnreachable, AwsRefused."""
    return [str(arn).rsplit("/", 1)[-1] for arn in aws.pages("ecs", "ListClusters", "clusterArns")]


def describe_definition(aws: Aws, name: str) -> Definition:
    """One revision with its tags; ``name`` is an ARN or ``family:revision``, deregistered ones included.

    Raises: AwsRefused (ClientException) where there is none.
    """
    body = {"taskDefinition": name, "include": ["TAGS"]}
    return _definition(aws.call_json("ecs", "DescribeTaskDefinition", body, taskDefinition=name))


def register_definition(aws: Aws, request: Mapping[str, Any], tags: Mapping[str, str]) -> Definition:
    """A new revision of the family that ``request`` names."""
    listed = [{"key": key, "value": value} for key, value in tags.items()]
    body = {**request, "tags": listed}
    return _definition(
        aws.call_json("ecs", "RegisterTaskDefinition", body, family=request["family"], containerDefinitions=[])
    )


def tag_definition(aws: Aws, arn: str, tags: Mapping[str, str]) -> None:
    """Set tags on a revision, deregistered or not."""
    aws.call("ecs", "TagResource", resourceArn=arn, tags=[{"key": k, "value": v} for k, v in tags.items()])


def list_definitions(aws: Aws, family: str, status: str = "ACTIVE") -> Iterator[str]:
    """The ARNs of a family's revisions, newest first."""
    listed = aws.pages(
        "ecs", "ListTaskDefinitions", "taskDefinitionArns", familyPrefix=family, status=status, sort="DESC"
    )
    # familyPrefix is documented as the full family name; emulators and old regions have matched longer ones
    return (arn for arn in listed if family_of(arn) == family)


def update_service(aws: Aws, name: ServiceName, task_definition: str) -> ServiceState:
    """Set the revision a service runs; the answer's PRIMARY rollout is the one that this call began."""
    answer = aws.call(
        "ecs", "UpdateService", cluster=name.cluster, service=name.service, taskDefinition=task_definition
    )
    return _service(name.key, answer["service"])


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
    for some in _portions(arns, _TASKS_A_CALL):
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
    for some in _portions(list(dict.fromkeys(arns)), _TASKS_A_CALL):
        tasks += map(_task, aws.call("ecs", "DescribeTasks", cluster=cluster, tasks=some)["tasks"])
    return tasks


@dataclass(frozen=True)
class ServiceRollout:
    """A service deployment: ECS's own record of one rollout, kept when the rollout has left the service's list.

    Its id is another than that of the service's list, so the revision tells which is which.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeploymentBrief.html
    """

    arn: str
    status: str  # PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, STOP_REQUESTED, ROLLBACK_*
    task_definition: str | None

    @property
    def under_way(self) -> bool:
        """True where it can still be stopped."""
        return self.status in ("PENDING", "IN_PROGRESS")


def service_rollout(aws: Aws, name: ServiceName, task_definition: str) -> ServiceRollout | None:
    """The newest service deployment that brought this revision; among the last ten, None where it is none of them.

    Raises: NotAllowed, AwsRefused.
    """
    answer = aws.call("ecs", "ListServiceDeployments", cluster=name.cluster, service=name.service, maxResults=10)
    briefs = sorted(answer["serviceDeployments"], key=lambda brief: brief["createdAt"], reverse=True)
    wanted = list(dict.fromkeys(brief["targetServiceRevisionArn"] for brief in briefs))
    if not wanted:
        return None
    revisions = aws.call("ecs", "DescribeServiceRevisions", serviceRevisionArns=wanted)["serviceRevisions"]
    definitions = {revision["serviceRevisionArn"]: revision.get("taskDefinition") for revision in revisions}
    found = (
        ServiceRollout(b["serviceDeploymentArn"], b["status"], definitions.get(b["targetServiceRevisionArn"]))
        for b in briefs
    )
    return next((rollout for rollout in found if rollout.task_definition == task_definition), None)


def stop_rollout(aws: Aws, arn: str) -> None:
    """Have ECS put back the service's previous revision.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    """
    aws.call("ecs", "StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")


def family_of(arn: str) -> str:
    """``web`` of ``arn:…:task-definition/web:3`` and of ``web:3``."""
    return arn.rsplit("/", 1)[-1].rsplit(":", 1)[0]


def revision_of(arn: str) -> int:
    """``3`` of ``arn:…:task-definition/web:3``; 0 where there is no number."""
    number = arn.rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _portions(items: Sequence[_Item], size: int) -> Iterable[list[_Item]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))


def _service(key: str, service: Mapping[str, Any]) -> ServiceState:
    return ServiceState(
        key=key,
        name=service["serviceName"],
        cluster=service["clusterArn"].rsplit("/", 1)[-1],
        arn=service["serviceArn"],
        controller=(service.get("deploymentController") or {}).get("type", "ECS"),
        status=service["status"],
        task_definition=service.get("taskDefinition", ""),  # absent under the EXTERNAL controller
        desired=service["desiredCount"],
        running=service["runningCount"],
        pending=service["pendingCount"],
        rollouts=tuple(_rollout(rollout) for rollout in service.get("deployments") or ()),
        target_groups=tuple(
            TargetGroup(balancer["targetGroupArn"], balancer["containerName"], balancer["containerPort"])
            for balancer in service.get("loadBalancers") or ()
            if balancer.get("targetGroupArn")
        ),
        events=tuple((event["id"], event["createdAt"], event["message"]) for event in service.get("events") or ()),
        placing={field: service[field] for field in _PLACING if service.get(field)},
    )


def _rollout(rollout: Mapping[str, Any]) -> Rollout:
    return Rollout(
        id=rollout["id"],
        status=rollout["status"],
        task_definition=rollout["taskDefinition"],
        state=rollout.get("rolloutState"),
        reason=rollout.get("rolloutStateReason") or "",
        desired=rollout.get("desiredCount", 0),
        running=rollout.get("runningCount", 0),
        pending=rollout.get("pendingCount", 0),
        failed=rollout.get("failedTasks", 0),
        created=rollout.get("createdAt"),
    )


def _definition(answer: Mapping[str, Any]) -> Definition:
    content = answer["taskDefinition"]
    tags = {tag["key"]: tag.get("value", "") for tag in answer.get("tags") or ()}
    return Definition(content["taskDefinitionArn"], content, tags)


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
