"""ECS: clusters, services and task definitions.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import portions, side_by_side
from deploykit.errors import FailedBefore
from deploykit.model.observed import (
    Definition,
    Rollout,
    ServiceName,
    ServiceState,
    Shifting,
    TargetGroup,
    split_revision,
)

_SERVICES_A_CALL = 10  # DescribeServices takes no more
# Fields that DescribeServices and RunTask share. A service has a launch type or a capacity provider strategy, not both:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
_PLACING = (
    "networkConfiguration",
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "placementConstraints",
    "placementStrategy",
)


def describe_services(aws: Aws, names: Sequence[ServiceName], *, retry: bool = True) -> dict[str, ServiceState]:
    """The services that exist, by key; one call for ten of a cluster.

    Raises: FailedBefore where the cluster itself does not exist.
    """
    found: dict[str, ServiceState] = {}
    for cluster in dict.fromkeys(name.cluster for name in names):
        keys = {name.service: name.key for name in names if name.cluster == cluster}
        for some in portions(list(keys), _SERVICES_A_CALL):
            try:
                answer = aws.call("ecs", "DescribeServices", retry=retry, cluster=cluster, services=some)
            except AwsRefused as refusal:
                if refusal.error != "ClusterNotFoundException":
                    raise
                raise FailedBefore(
                    f"ECS cluster {cluster} does not exist in {aws.region}",
                    "check `cluster` in deploykit.toml; `aws ecs list-clusters` shows the clusters",
                ) from refusal
            for service in answer["services"]:
                if service["status"] != "INACTIVE":  # deleted, and still described for a while
                    key = keys[service["serviceName"]]
                    found[key] = _service(key, service)
    return found


def list_services(aws: Aws, cluster: str) -> list[str]:
    """The names of a cluster's services, in ECS's order.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html
    Raises: AwsRefused (ClusterNotFoundException).
    """
    listed = aws.pages("ecs", "ListServices", "serviceArns", cluster=cluster, maxResults=100)
    return [str(arn).rsplit("/", 1)[-1] for arn in listed]


def list_clusters(aws: Aws) -> list[str]:
    """The names of the region's clusters."""
    return [str(arn).rsplit("/", 1)[-1] for arn in aws.pages("ecs", "ListClusters", "clusterArns")]


def describe_definition(aws: Aws, name: str) -> Definition:
    """One revision with its tags, deregistered or not; ``name`` is an ARN or ``family:revision``.

    Raises: AwsRefused (ClientException) where it does not exist.
    """
    body = {"taskDefinition": name, "include": ["TAGS"]}
    return _definition(aws.call_json("ecs", "DescribeTaskDefinition", body, taskDefinition=name))


def definitions_of(aws: Aws, revisions: Mapping[str, str]) -> tuple[dict[str, Definition], list[str]]:
    """The definitions of revisions by service, and a sentence for each that was deleted.

    ECS still describes deregistered revisions, but not deleted ones:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/delete-task-definition-v2.html
    """
    found = side_by_side({key: partial(find_definition, aws, arn) for key, arn in revisions.items()})
    deleted = [
        f"{key}: task definition {revisions[key].rpartition('/')[2]} was deleted"
        for key, definition in found.items()
        if definition is None
    ]
    return {key: definition for key, definition in found.items() if definition is not None}, deleted


def find_definition(aws: Aws, arn: str) -> Definition | None:
    """One revision with its tags, described once; None where it was deleted."""

    def describe() -> Definition | None:
        try:
            return describe_definition(aws, arn)
        except AwsRefused as error:
            if error.error != "ClientException":
                raise
            return None

    return aws.remember(("definition", arn), describe)


def register_definition(aws: Aws, request: Mapping[str, Any], tags: Mapping[str, str]) -> Definition:
    """A new revision of the family that ``request`` names."""
    body = {**request, "tags": [{"key": key, "value": value} for key, value in tags.items()]}
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
    # AWS documents familyPrefix as the full family name; emulators and old regions have matched longer ones
    return (arn for arn in listed if split_revision(arn)[0] == family)


def update_service(aws: Aws, name: ServiceName, task_definition: str) -> ServiceState:
    """Set the revision that a service runs; the PRIMARY rollout of the answer is the one that this call began."""
    answer = aws.call(
        "ecs", "UpdateService", cluster=name.cluster, service=name.service, taskDefinition=task_definition
    )
    return _service(name.key, answer["service"])


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
            TargetGroup(
                balancer["targetGroupArn"],
                balancer["containerName"],
                balancer["containerPort"],
                (balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn") or "",
            )
            for balancer in service.get("loadBalancers") or ()
            if balancer.get("targetGroupArn")
        ),
        events=tuple((event["id"], event["createdAt"], event["message"]) for event in service.get("events") or ()),
        placing={field: service[field] for field in _PLACING if service.get(field)},
        shifting=_shifting(service.get("deploymentConfiguration") or {}),
    )


def _shifting(configuration: Mapping[str, Any]) -> Shifting | None:
    """With AWS's defaults: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html"""
    strategy = configuration.get("strategy") or "ROLLING"
    if strategy == "ROLLING":
        return None
    steps = 0
    if strategy == "CANARY":
        steps = (configuration.get("canaryConfiguration") or {}).get("canaryBakeTimeInMinutes", 10)
    elif strategy == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        waits = math.ceil(100 / (linear.get("stepPercent") or 10.0)) - 1  # none after the last step
        steps = waits * linear.get("stepBakeTimeInMinutes", 6)
    return Shifting(strategy, 60.0 * steps, 60.0 * (configuration.get("bakeTimeInMinutes") or 0))


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
