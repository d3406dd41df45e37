"""Tests and the demo can make the sandbox's AWS fail, and see what was called."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.flow.sandbox_kit import ACCOUNT, Sandbox, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox


def _code(call: object) -> str:
    with pytest.raises(ClientError) as caught:
        call()  # type: ignore[operator]
    return str(caught.value.response["Error"]["Code"])


def test_an_operation_fails_as_often_as_asked_and_then_works(sandbox: Sandbox) -> None:
    sandbox.own("PUT", "faults", {"faults": [
        {"operation": "ecs:ListClusters", "code": "ThrottlingException", "times": 2},
        {"operation": "elasticloadbalancing:DescribeTargetGroups", "code": "AccessDenied", "status": 403},
        {"operation": "s3:PutObject", "code": "SlowDown", "status": 503},
        {"operation": "cloudfront:ListDistributions", "code": "AccessDenied", "status": 403},
    ]})  # fmt: skip
    assert [_code(sandbox.ecs.list_clusters) for _ in range(2)] == ["ThrottlingException"] * 2
    assert sandbox.ecs.list_clusters()["clusterArns"]
    assert _code(sandbox.client("elbv2").describe_target_groups) == "AccessDenied"
    s3 = sandbox.client("s3")
    assert _code(lambda: s3.put_object(Bucket="shop-test-state", Key="test/a", Body=b"1")) == "SlowDown"
    s3.put_object(Bucket="shop-test-state", Key="test/a", Body=b"1")
    assert _code(sandbox.client("cloudfront").list_distributions) == "AccessDenied"
    assert sandbox.own("GET", "faults")["faults"] == []


def test_the_log_names_every_call(sandbox: Sandbox) -> None:
    sandbox.own("DELETE", "calls")
    sandbox.ecs.list_clusters()
    sandbox.client("s3").list_objects_v2(Bucket="shop-test-state")
    sandbox.client("elbv2").describe_load_balancers()
    sandbox.client("cloudfront").get_distribution(Id="E1SANDBOXTEST")
    sandbox.client("sts").get_caller_identity()
    assert sandbox.own("GET", "calls") == [
        "ecs:ListClusters", "s3:ListObjectsV2", "elasticloadbalancing:DescribeLoadBalancers",
        "cloudfront:GetDistribution", "sts:GetCallerIdentity",
    ]  # fmt: skip


def test_the_account_is_the_configurations(sandbox: Sandbox) -> None:
    assert sandbox.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert f":{ACCOUNT}:service/shop-test/test-api" in sandbox.service("test-api")["serviceArn"]


def test_a_service_the_sandbox_lacks_is_answered_at_once(sandbox: Sandbox) -> None:
    began = time.monotonic()
    scaling = sandbox.client("application-autoscaling")
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []
    assert _code(sandbox.client("codedeploy").list_deployment_configs) == "UnknownOperationException"
    assert _code(lambda: sandbox.client("pricing").describe_services()) == "UnknownOperationException"
    assert time.monotonic() - began < 3
