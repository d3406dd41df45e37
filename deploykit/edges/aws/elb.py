"""Load balancers: which tasks of a service get requests, and which requests go to which service.

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import portions

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
    """How a load balancer checks the targets of a group."""

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
    """One rule of a listener: which requests go where. Without hosts and paths it matches all."""

    balancer: str  # ARN
    protocol: str  # the listener's: HTTP, HTTPS, TCP …
    port: int
    priority: int | None  # None: the listener's default, which comes last
    hosts: tuple[str, ...]
    paths: tuple[str, ...]
    conditions: tuple[str, ...]  # the fields of others, such as http-header
    target_groups: tuple[str, ...]  # ARNs; none where the balancer answers itself
    redirects: bool


def health_checks(aws: Aws, target_groups: Sequence[str]) -> dict[str, HealthCheck]:
    """The health check of each target group that exists, by its ARN.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
    """
    found = _described(aws, "DescribeTargetGroups", "TargetGroupArns", target_groups)
    return {group["TargetGroupArn"]: _health_check(group) for group in found}


def load_balancers(aws: Aws, arns: Sequence[str]) -> dict[str, LoadBalancer]:
    """Those of the load balancers that exist, by ARN."""
    described = _described(aws, "DescribeLoadBalancers", "LoadBalancerArns", arns)
    found = (
        LoadBalancer(each["LoadBalancerArn"], each["DNSName"], each.get("Scheme") == "internal") for each in described
    )
    return {balancer.arn: balancer for balancer in found}


def rules(aws: Aws, balancer: str) -> list[Rule]:
    """The rules of every listener, by priority and with its default last.

    Listeners of network load balancers have no rules, only default actions.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeRules.html
    """
    found: list[Rule] = []
    for listener in aws.pages("elbv2", "DescribeListeners", "Listeners", LoadBalancerArn=balancer):
        protocol, port = listener.get("Protocol", ""), listener.get("Port", 0)
        listed: Iterable[Mapping[str, Any]] = [{"Actions": listener.get("DefaultActions") or ()}]
        if protocol in ("HTTP", "HTTPS"):
            listed = aws.pages("elbv2", "DescribeRules", "Rules", ListenerArn=listener["ListenerArn"])
        mine = [_rule(balancer, protocol, port, rule) for rule in listed]
        found += sorted(mine, key=lambda rule: (rule.priority is None, rule.priority or 0))
    return found


def _described(aws: Aws, operation: str, key: str, arns: Sequence[str]) -> list[dict[str, Any]]:
    """The answers for ``arns``. One that does not exist makes the whole call fail: then each is asked for alone."""
    items = operation.removeprefix("Describe")
    found: list[dict[str, Any]] = []
    for some in portions(arns, _A_CALL):
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
        # with GrpcCode the path is a gRPC method, which HTTP cannot ask
        path=group.get("HealthCheckPath") if asked and "GrpcCode" not in matcher else None,
        codes=matcher.get("HttpCode", "200"),
        balancers=tuple(group.get("LoadBalancerArns") or ()),
    )


def _rule(balancer: str, protocol: str, port: int, rule: Mapping[str, Any]) -> Rule:
    conditions: dict[str, list[str]] = {}
    for condition in rule.get("Conditions") or ():
        nested = next((v for k, v in condition.items() if k.endswith("Config") and isinstance(v, dict)), {})
        # hosts and paths written the old way have the same values in both places
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
