"""Load balancers: which of a service's tasks get requests, and which requests get to which service.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploykit.edges.aws.session import Aws, AwsRefused

_A_CALL = 20  # DescribeLoadBalancers takes no more ARNs
_GONE = ("TargetGroupNotFound", "LoadBalancerNotFound")


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


@dataclass(frozen=True)
class HealthCheck:
    """How a load balancer finds out whether a target of a group is well."""

    target_group: str  # its ARN
    path: str | None  # None where it only opens a connection
    codes: str  # "200", "200-299", "200,302"
    balancers: tuple[str, ...]  # ARNs of the load balancers that use the group


@dataclass(frozen=True)
class LoadBalancer:
    """One load balancer."""

    arn: str
    dns_name: str
    internal: bool


@dataclass(frozen=True)
class Rule:
    """One rule of a listener: which requests go where. Without hosts and paths it takes all."""

    balancer: str  # ARN
    protocol: str  # the listener's: HTTP, HTTPS, TCP …
    port: int
    priority: int | None  # None: the listener's default, which comes last
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    conditions: tuple[str, ...]  # the fields of others, such as http-header
    target_groups: tuple[str, ...]  # ARNs; none where it answers itself
    redirects: bool


def health_checks(aws: Aws, target_groups: Sequence[str]) -> dict[str, HealthCheck]:
    """The health check of each target group that exists, by its ARN.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    found = _described(aws, "DescribeTargetGroups", "TargetGroupArns", target_groups)
    return {group["TargetGroupArn"]: _health_check(group) for group in found}


def load_balancers(aws: Aws, arns: Sequence[str]) -> dict[str, LoadBalancer]:
    """Those of the load balancers that exist, by ARN. Raises: NotAllowed, AwsUnreachable, AwsRefused."""
    return {
        item["LoadBalancerArn"]: LoadBalancer(
            item["LoadBalancerArn"], item["DNSName"], item.get("Scheme") == "internal"
        )
        for item in _described(aws, "DescribeLoadBalancers", "LoadBalancerArns", arns)
    }


def rules(aws: Aws, balancer: str) -> list[Rule]:
    """Every listener's rules, each listener's by priority and its default last.

    Listeners of network load balancers have no rules of their own, only the default's action.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    found: list[Rule] = []
    for listener in aws.pages("elbv2", "DescribeListeners", "Listeners", LoadBalancerArn=balancer):
        where = (balancer, listener.get("Protocol", ""), listener.get("Port", 0))
        if where[1] in ("HTTP", "HTTPS"):
            listed = list(aws.pages("elbv2", "DescribeRules", "Rules", ListenerArn=listener["ListenerArn"]))
        else:
            listed = [{"Priority": "default", "Actions": listener.get("DefaultActions") or ()}]
        mine = [_rule(*where, rule) for rule in listed]
        found += sorted(mine, key=lambda rule: (rule.priority is None, rule.priority or 0))
    return found


def _described(aws: Aws, operation: str, key: str, arns: Sequence[str]) -> list[dict[str, Any]]:
    """The answers for ``arns``; one that does not exist refuses a whole call, so then each is asked for alone."""
    items = operation.removeprefix("Describe")
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), _A_CALL):
        some = list(arns[start : start + _A_CALL])
        try:
            found += aws.pages("elbv2", operation, items, **{key: some})
        except AwsRefused as refusal:
            if refusal.error not in _GONE:
                raise
            if len(some) > 1:
                found += [item for arn in some for item in _described(aws, operation, key, [arn])]
    return found


def _health_check(group: Mapping[str, Any]) -> HealthCheck:
    asked = group.get("HealthCheckProtocol") in ("HTTP", "HTTPS")
    matcher = group.get("Matcher") or {}
    return HealthCheck(
        target_group=group["TargetGroupArn"],
        # with GrpcCode the path is a gRPC method's: no address that HTTP can ask
        path=group.get("HealthCheckPath") if asked and "GrpcCode" not in matcher else None,
        codes=matcher.get("HttpCode", "200"),
        balancers=tuple(group.get("LoadBalancerArns") or ()),
    )


def _rule(balancer: str, protocol: str, port: int, rule: Mapping[str, Any]) -> Rule:
    conditions: dict[str, list[str]] = {}
    for condition in rule.get("Conditions") or ():
        nested = next((v for k, v in condition.items() if k.endswith("Config") and isinstance(v, dict)), {})
        # the same values stand in both places for hosts and paths written the old way
        conditions.setdefault(condition["Field"], []).extend(nested.get("Values") or condition.get("Values") or ())
    actions = rule.get("Actions") or ()
    groups = [action["TargetGroupArn"] for action in actions if action.get("TargetGroupArn")]
    for action in actions:
        groups += [group["TargetGroupArn"] for group in (action.get("ForwardConfig") or {}).get("TargetGroups") or ()]
    priority = str(rule.get("Priority", "default"))
    return Rule(
        balancer=balancer,
        protocol=protocol,
        port=port,
        priority=int(priority) if priority.isdigit() else None,
        hosts=tuple(conditions.pop("host-header", ())),
        paths=tuple(conditions.pop("path-pattern", ())),
        conditions=tuple(sorted(conditions)),
        target_groups=tuple(dict.fromkeys(groups)),
        redirects=any(action.get("Type") == "redirect" for action in actions),
    )
