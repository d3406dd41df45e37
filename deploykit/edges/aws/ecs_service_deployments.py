"""ECS's own record of each rollout, the "service deployment": its state, and how to stop it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import portions
from deploykit.model.observed import ServiceName

_RECORDS_A_CALL = 20  # DescribeServiceDeployments takes no more


@dataclass(frozen=True)
class ServiceDeployment:
    """ECS's own record of one rollout, kept when the rollout has left the service's list.

    Its id differs from the one in that list, so the revision tells which is which.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
    """

    arn: str
    status: str  # PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, STOP_REQUESTED, ROLLBACK_*
    revision: str  # ARN of the new service revision
    created: datetime | None = None
    reason: str = ""
    task_definition: str | None = None  # if it was looked up
    # if it was described, of rollouts that move requests (blue/green, linear, canary):
    stage: str = ""  # PRE_SCALE_UP … BAKE_TIME, CLEAN_UP
    weight: float | None = None  # percent of requests to the new revision
    paused: str = ""  # the id of a lifecycle hook that waits for a person

    @property
    def under_way(self) -> bool:
        """True while it can be stopped."""
        return self.status in ("PENDING", "IN_PROGRESS")


def find_service_deployment(aws: Aws, name: ServiceName, task_definition: str) -> ServiceDeployment | None:
    """The newest of the last ten service deployments that brought this revision; None where none did."""
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
    """These service deployments now, by ARN, without unknown ones. Not retried: callers poll.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServiceDeployments.html
    """
    found: dict[str, ServiceDeployment] = {}
    for some in portions(arns, _RECORDS_A_CALL):
        answer = aws.call("ecs", "DescribeServiceDeployments", retry=False, serviceDeploymentArns=some)
        found |= {record["serviceDeploymentArn"]: _record(record) for record in answer["serviceDeployments"]}
    return found


def serving_groups(aws: Aws, revision: str) -> tuple[str, ...]:
    """ARNs of the target groups that a service revision's tasks are in, where ECS chooses between two; else none.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ResolvedConfiguration.html
    """
    found = aws.call("ecs", "DescribeServiceRevisions", serviceRevisionArns=[revision])["serviceRevisions"]
    resolved = [each.get("resolvedConfiguration") or {} for each in found]
    balancers = [balancer for each in resolved for balancer in each.get("loadBalancers") or ()]
    return tuple(balancer["targetGroupArn"] for balancer in balancers if balancer.get("targetGroupArn"))


def stop_service_deployment(aws: Aws, arn: str) -> None:
    """Have ECS roll the service back to its previous revision.

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
