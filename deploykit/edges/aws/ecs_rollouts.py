"""ECS's own record of each rollout, the "service deployment": how it stands, and how to stop it."""

from __future__ import annotations

from dataclasses import dataclass

from deploykit.edges.aws.session import Aws
from deploykit.model.observed import ServiceName


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
