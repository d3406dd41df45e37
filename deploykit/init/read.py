"""Read a cluster: its services, their task definitions, load balancers, distributions and repositories.

Required: ecs:ListServices, ecs:DescribeServices. Each of these fills in more, and may be denied:
ecs:DescribeTaskDefinition, ecr:DescribeRepositories, elasticloadbalancing:DescribeTargetGroups,
elasticloadbalancing:DescribeLoadBalancers, elasticloadbalancing:DescribeListeners, elasticloadbalancing:DescribeRules,
cloudfront:ListDistributions; and ecs:ListClusters, to name the clusters that exist.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from deploykit.edges.aws.cloudfront import list_distributions
from deploykit.edges.aws.ecr import list_repositories
from deploykit.edges.aws.ecs import describe_definition, describe_services, list_clusters, list_services
from deploykit.edges.aws.elb import HealthCheck, LoadBalancer, Rule, health_checks, load_balancers, rules
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.parallel import side_by_side
from deploykit.errors import FailedBefore
from deploykit.init.seen import SeenCluster, SeenService
from deploykit.model.hint import Hint, command
from deploykit.model.observed import ServiceName, ServiceState

_Answer = TypeVar("_Answer")
_NO_SUCH_CLUSTER = ("ClusterNotFoundException", "InvalidParameterException")


def read(aws: Aws, account: str, cluster: str, registry: str | None = None) -> SeenCluster:
    """What can be read of ``cluster`` (a name) in ``account``, that of the credentials; nothing is changed.

    Raises: FailedBefore (no such cluster, no services in it), NotAllowed (the two required permissions),
    AwsUnreachable, OutOfReach (credentials).
    """
    states = _services(aws, cluster)
    look = _Look()
    groups = list(dict.fromkeys(group.arn for state in states for group in state.target_groups))
    arns = list(dict.fromkeys(state.task_definition for state in states if state.task_definition))
    asked: dict[str, Callable[[], Any]] = {
        "definitions": partial(_definitions, aws, look, arns),
        "balanced": partial(_balanced, aws, look, groups),
        "distributions": partial(look.at, "CloudFront distributions", partial(list_distributions, aws), None),
        "repositories": partial(look.at, "ECR repositories", partial(list_repositories, aws), None),
    }
    if not groups:  # no load balancer, so no distribution in front of one
        asked["distributions"] = list
    found = side_by_side(asked)
    checks, balancers, listed = found["balanced"]
    return SeenCluster(
        name=cluster,
        region=aws.region,
        account=account,
        services=tuple(SeenService(state, found["definitions"].get(state.task_definition)) for state in states),
        health_checks=checks,
        balancers=balancers,
        rules=tuple(listed),
        distributions=None if found["distributions"] is None else tuple(found["distributions"]),
        repositories=None if found["repositories"] is None else tuple(found["repositories"]),
        unseen=tuple(sorted(look.unseen)),
        registry=registry,
    )


class _Look:
    """Reads that AWS may refuse: that is noted, once for each kind of thing."""

    def __init__(self) -> None:
        self.unseen: dict[str, None] = {}
        self._lock = threading.Lock()

    def at(self, what: str, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        try:
            return call()
        except NotAllowed as refusal:
            why = f"{refusal.action} is not allowed"
        except AwsRefused as refusal:
            why = f"{refusal.service}:{refusal.operation} was refused with {refusal.error}"
        with self._lock:
            self.unseen[f"{what} could not be read: {why}"] = None
        return otherwise


def _services(aws: Aws, cluster: str) -> list[ServiceState]:
    try:
        names = list_services(aws, cluster)
    except AwsRefused as refusal:
        if refusal.error not in _NO_SUCH_CLUSTER:
            raise
        raise FailedBefore(f"ECS cluster {cluster} does not exist in {aws.region}", _clusters(aws)) from refusal
    found = describe_services(aws, [ServiceName(name, cluster, name) for name in names])
    if not found:
        raise FailedBefore(
            f"ECS cluster {cluster} in {aws.region} has no services",
            Hint(_clusters(aws), "; without a cluster to read: ", command("init")),
        )
    return list(found.values())


def _clusters(aws: Aws) -> str:
    try:
        there = list_clusters(aws)
    except (NotAllowed, AwsRefused):
        return f"`aws ecs list-clusters --region {aws.region}` lists the clusters; --region NAME looks elsewhere"
    if not there:
        return f"{aws.region} has no clusters; --region NAME looks elsewhere"
    return f"clusters in {aws.region}: {', '.join(sorted(there))}; --region NAME looks elsewhere"


def _definitions(aws: Aws, look: _Look, arns: Sequence[str]) -> dict[str, Any]:
    def content(arn: str) -> Any:
        return look.at("task definitions", lambda: describe_definition(aws, arn).content, None)

    return side_by_side({arn: partial(content, arn) for arn in arns})


def _balanced(
    aws: Aws, look: _Look, groups: Sequence[str]
) -> tuple[dict[str, HealthCheck], dict[str, LoadBalancer], list[Rule]]:
    checks = look.at("target groups", partial(health_checks, aws, groups), dict[str, HealthCheck]())
    arns = list(dict.fromkeys(arn for check in checks.values() for arn in check.balancers))
    balancers = look.at("load balancers", partial(load_balancers, aws, arns), dict[str, LoadBalancer]())
    listed = [
        rule for arn in balancers for rule in look.at("load balancer rules", partial(rules, aws, arn), list[Rule]())
    ]
    return checks, balancers, listed
