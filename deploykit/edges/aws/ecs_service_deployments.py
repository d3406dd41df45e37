"""ECS's own record of each rollout, the "service deployment": how it stands, and how to stop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploykit.edges.aws.portions import portions
from deploykit.edges.aws.session import Aws
from deploykit.model.observed import ServiceName

_RECORDS_A_CALL = 20  # DescribeServiceDeployments takes no more


@dataclass(frozen=True)
class ServiceDeployment:
    """A service deployment: ECS's own record of one rollout, kept when the rollout has left the service's list.

    Its id is another than that of the service's list, so the revision tells which is which.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    """

    arn: str
    status: str  # PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, STOP_REQUESTED, ROLLBACK_*
    revision: str  # ARN of the service revision that it brings
    created: datetime | None = None
    reason: str = ""
    task_definition: str | None = None  # where it was looked up
    # of rollouts that move requests (blue/green and its kin), where it was described:
    stage: str = ""  # PRE_SCALE_UP … BAKE_TIME, CLEAN_UP
    weight: float | None = None  # percent of the requests that the new revision gets
    paused: str = ""  # the id of a lifecycle hook that waits for somebody

    @property
    def under_way(self) -> bool:
        """True where it can still be stopped."""
        return self.status in ("PENDING", "IN_PROGRESS")


def find_service_deployment(aws: Aws, name: ServiceName, task_definition: str) -> ServiceDeployment | None:
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
        ServiceDeployment(
            arn=brief["serviceDeploymentArn"],
            status=brief["status"],
            revision=brief["targetServiceRevisionArn"],
            created=brief.get("createdAt"),
            reason=brief.get("statusReason") or "",
            task_definition=definitions.get(brief["targetServiceRevisionArn"]),
        )
        for brief in briefs
    )
    return next((rollout for rollout in found if rollout.task_definition == task_definition), None)


def describe_service_deployments(aws: Aws, arns: Sequence[str]) -> dict[str, ServiceDeployment]:
    """These service deployments as they stand, by ARN; unknown ones are left out. Not retried: callers poll.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    Raises: NotAllowed, AwsRefused, AwsUnreachable, Throttled.
    """
    found: dict[str, ServiceDeployment] = {}
    for some in portions(arns, _RECORDS_A_CALL):
        answer = aws.call("ecs", "DescribeServiceDeployments", retry=False, serviceDeploymentArns=some)
        found |= {record["serviceDeploymentArn"]: _record(record) for record in answer["serviceDeployments"]}
    return found


def serving_groups(aws: Aws, revision: str) -> tuple[str, ...]:
    """ARNs of the target groups that a service revision's tasks are in, where ECS chose between two; else none.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ResolvedConfiguration.html
    Raises: NotAllowed, AwsRefused.
    """
    found = aws.call("ecs", "DescribeServiceRevisions", serviceRevisionArns=[revision])["serviceRevisions"]
    balancers = [
        balancer for each in found for balancer in (each.get("resolvedConfiguration") or {}).get("loadBalancers") or ()
    ]
    return tuple(balancer["targetGroupArn"] for balancer in balancers if balancer.get("targetGroupArn"))


def stop_service_deployment(aws: Aws, arn: str) -> None:
    """Have ECS put back the service's previous revision.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
    """
    aws.call("ecs", "StopServiceDeployment", serviceDeploymentArn=arn, stopType="ROLLBACK")


def _record(record: Mapping[str, Any]) -> ServiceDeployment:
    target = record.get("targetServiceRevision") or {}
    hooks = [hook for hook in record.get("lifecycleHookDetails") or () if hook.get("status") == "AWAITING_ACTION"]
    return ServiceDeployment(
        arn=record["serviceDeploymentArn"],
        status=record["status"],
        revision=target.get("arn") or "",
        created=record.get("createdAt"),
        reason=record.get("statusReason") or "",
        stage=record.get("lifecycleStage") or "",
        weight=target.get("requestedProductionTrafficWeight"),
        paused=hooks[0].get("hookId", "a hook") if hooks else "",
    )
