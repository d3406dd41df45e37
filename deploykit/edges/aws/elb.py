"""Load balancer targets: which of a service's tasks get requests.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
"""

from __future__ import annotations

from dataclasses import dataclass

from deploykit.edges.aws.session import Aws


@dataclass(frozen=True)
class TargetHealth:
    """One registered target."""

    target: str  # the task's address, or an instance id
    port: int
    state: str  # initial, healthy, unhealthy, unused, draining, unavailable
    reason: str  # Elb.… or Target.…, empty when healthy
    description: str


def target_health(aws: Aws, target_group: str, *, retry: bool = True) -> list[TargetHealth]:
    """The targets of a group with their state, draining ones included."""
    answer = aws.call("elbv2", "DescribeTargetHealth", retry=retry, TargetGroupArn=target_group)
    return [
        TargetHealth(
            target=item["Target"]["Id"],
            port=item["Target"].get("Port", 0),
            state=item["TargetHealth"]["State"],
            reason=item["TargetHealth"].get("Reason", ""),
            description=item["TargetHealth"].get("Description", ""),
        )
        for item in answer["TargetHealthDescriptions"]
    ]
