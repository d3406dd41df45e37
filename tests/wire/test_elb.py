"""Load balancers and distributions as raw AWS calls made them, read through our own edge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploykit.edges.aws.cloudfront import list_distributions
from deploykit.edges.aws.ecr import list_repositories
from deploykit.edges.aws.elb import health_checks, load_balancers, rules
from deploykit.edges.aws.session import Aws
from tests.flow.raw_platform import RawPlatform
from tests.simulator import Simulator


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawPlatform]:
    with Simulator() as sim:
        values = {"AWS_ENDPOINT_URL": sim.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield RawPlatform(sim, "main")


def test_rules_come_by_priority_with_all_their_target_groups(platform: RawPlatform) -> None:
    blue, green, rest = (platform.group(name, 80) for name in ("blue", "green", "rest"))
    balancer = platform.balancer("front", default=rest)
    weighted = {"TargetGroups": [{"TargetGroupArn": arn, "Weight": 1} for arn in (blue, green)]}
    header = {"HttpHeaderName": "x-origin", "Values": ["1"]}
    platform.elb.create_rule(
        ListenerArn=balancer["Listener"],
        Priority=90,
        Conditions=[{"Field": "http-header", "HttpHeaderConfig": header}],
        Actions=[{"Type": "forward", "ForwardConfig": weighted}],
    )
    platform.rule(balancer["Listener"], blue, paths=["/a", "/b"], hosts=["shop.example"])
    found = rules(Aws("us-east-1"), balancer["LoadBalancerArn"])
    assert [(r.priority, r.paths, r.hosts, r.conditions, r.target_groups) for r in found] == [
        (10, ("/a", "/b"), ("shop.example",), (), (blue,)),
        (90, (), (), ("http-header",), (blue, green)),
        (None, (), (), (), (rest,)),
    ]


def test_a_listener_that_speaks_no_http_has_its_default_only(platform: RawPlatform) -> None:
    group = platform.group("tcp", 5000)
    balancer = platform.balancer("front")
    platform.listener(balancer, group, protocol="TCP", port=5000)
    found = rules(Aws("us-east-1"), balancer["LoadBalancerArn"])
    assert [(r.protocol, r.port, r.target_groups) for r in found] == [("HTTP", 80, ()), ("TCP", 5000, (group,))]


def test_what_is_gone_hides_nothing_that_is_there(platform: RawPlatform) -> None:
    groups = [platform.group(f"group-{number}", 80, f"/{number}", "200,302") for number in range(22)]
    balancer = platform.balancer("front", default=groups[0])["LoadBalancerArn"]
    aws = Aws("us-east-1")
    found = health_checks(aws, [*groups, f"{groups[0]}-gone"])
    assert [(check.path, check.codes) for check in found.values()] == [(f"/{n}", "200,302") for n in range(22)]
    assert found[groups[0]].balancers == (balancer,)
    assert list(load_balancers(aws, [balancer, f"{balancer}-gone"])) == [balancer]
    assert health_checks(aws, []) == {}


def test_a_check_that_only_opens_a_connection_has_no_path(platform: RawPlatform) -> None:
    made = platform.elb.create_target_group(Name="tcp", Protocol="TCP", Port=5000, HealthCheckProtocol="TCP")
    arn = made["TargetGroups"][0]["TargetGroupArn"]
    assert health_checks(Aws("us-east-1"), [arn])[arn].path is None


def test_distributions_and_repositories_come_from_every_page(platform: RawPlatform) -> None:
    for number in range(103):
        platform.distribution(f"front-{number}.example")
        platform.ecr.create_repository(repositoryName=f"shop/{number:03}")
    aws = Aws("us-east-1")
    assert len(list_distributions(aws)) == 103
    assert len(list_repositories(aws)) == 103


def test_a_path_of_a_distribution_belongs_to_one_origin(platform: RawPlatform) -> None:
    platform.distribution("FRONT.example", "shop.example", elsewhere=["/static/*"])
    [found] = list_distributions(Aws("us-east-1"))
    assert (found.aliases, found.origins) == (("shop.example",), ("front.example", "b.s3.amazonaws.com"))
    assert found.origin_of("/static/a.css") == "b.s3.amazonaws.com"
    assert found.origin_of("/") == "front.example"
