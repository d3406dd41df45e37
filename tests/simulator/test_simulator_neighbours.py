"""S3, ECR, CloudFront and the small services of the simulator, seen by raw boto3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.simulator import Simulator, clients


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_of_many_writers_that_expect_nothing_exactly_one_wins(sim: Simulator) -> None:
    [s3] = clients(sim, "s3")
    s3.create_bucket(Bucket="state")

    def write(number: int) -> int:
        try:
            s3.put_object(Bucket="state", Key="lease.json", Body=str(number).encode(), IfNoneMatch="*")
        except ClientError as refused:
            return int(refused.response["ResponseMetadata"]["HTTPStatusCode"])
        return 200

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(24)))
    assert sorted(answers) == [200] + [412] * 23
    assert s3.get_object(Bucket="state", Key="lease.json")["Body"].read() == str(answers.index(200)).encode()


def test_an_objects_age_is_the_answers_date_less_its_last_change(sim: Simulator) -> None:
    [s3] = clients(sim, "s3")
    s3.create_bucket(Bucket="state")
    s3.put_object(Bucket="state", Key="a", Body=b"1")
    sim.clock.advance(100)
    found = s3.head_object(Bucket="state", Key="a")
    assert found["ResponseMetadata"]["HTTPHeaders"]["date"] == "Sat, 21 Nov 2026 06:01:40 GMT"
    assert found["LastModified"].isoformat() == "2026-11-21T06:00:00+00:00"


def test_listing_pages_and_folds_prefixes(sim: Simulator) -> None:
    [s3] = clients(sim, "s3")
    s3.create_bucket(Bucket="state")
    for name in ("a b&c", "x/1", "x/2", "y"):
        s3.put_object(Bucket="state", Key=f"dev/{name}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="state", PaginationConfig={"PageSize": 1})
    assert [entry["Key"] for entry in pages.search("Contents[]")] == ["dev/a b&c", "dev/x/1", "dev/x/2", "dev/y"]
    folded = s3.list_objects_v2(Bucket="state", Prefix="dev/", Delimiter="/")
    assert [entry["Prefix"] for entry in folded["CommonPrefixes"]] == ["dev/x/"]
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(Bucket="nowhere")
    assert code(refused) == "NoSuchBucket"


def test_a_manifest_hashes_to_its_digest_and_names_its_config(sim: Simulator) -> None:
    [ecr] = clients(sim, "ecr")
    config = "sha256:" + "c" * 64
    digest = sim.push("site/api", "v1", config_digest=config)
    answer = ecr.batch_get_image(
        repositoryName="site/api", imageIds=[{"imageTag": "v1"}, {"imageTag": "v2"}], acceptedMediaTypes=["x/y"]
    )
    [image], [failure] = answer["images"], answer["failures"]
    assert image["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert "sha256:" + hashlib.sha256(image["imageManifest"].encode()).hexdigest() == digest
    assert json.loads(image["imageManifest"])["config"]["digest"] == config
    assert failure["failureCode"] == "ImageNotFound"


def test_mutable_tags_move_and_immutable_ones_do_not(sim: Simulator) -> None:
    [ecr] = clients(sim, "ecr")
    ecr.create_repository(repositoryName="free", imageTagMutability="MUTABLE")
    ecr.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
    for name in ("free", "fixed"):
        sim.push(name, "one")
        sim.push(name, "two")

    def move(name: str) -> Any:
        other = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "two"}])["images"][0]
        ecr.put_image(repositoryName=name, imageManifest=other["imageManifest"], imageTag="one")
        return ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "one"}])["imageDetails"][0]

    assert move("free")["imageTags"] == ["two", "one"]
    with pytest.raises(ClientError) as refused:
        move("fixed")
    assert code(refused) == "ImageTagAlreadyExistsException"


def test_invalidations_take_their_time_and_their_limits_count_what_is_in_progress(sim: Simulator) -> None:
    [cloudfront] = clients(sim, "cloudfront")
    sim.cloudfront.add("E1", aliases=("example.com",), cache_tags=True)
    sim.cloudfront.seconds = 200

    def create(reference: str, *paths: str) -> Any:
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
        return cloudfront.create_invalidation(DistributionId="E1", InvalidationBatch=batch)["Invalidation"]

    first = create("a", *(f"/{number}*" for number in range(15)))
    with pytest.raises(ClientError) as refused:
        create("b", "/*")
    assert code(refused) == "TooManyInvalidationsInProgress"
    assert create("c", "/index.html", "#menu")["Status"] == "InProgress"
    sim.clock.advance(199)
    found = cloudfront.get_invalidation(DistributionId="E1", Id=first["Id"])["Invalidation"]
    assert found["Status"] == "InProgress"
    assert cloudfront.get_distribution(Id="E1")["Distribution"]["InProgressInvalidationBatches"] == 2
    sim.clock.advance(1)
    listed = cloudfront.list_invalidations(DistributionId="E1")["InvalidationList"]["Items"]
    assert [entry["Status"] for entry in listed] == ["Completed", "Completed"]
    assert create("b", "/*")["Status"] == "InProgress"
    with pytest.raises(ClientError) as refused:
        create("d", *(f"/{number}" for number in range(3001)))
    assert code(refused) == "BatchTooLarge"


def test_cache_tags_need_a_distribution_that_has_them(sim: Simulator) -> None:
    [cloudfront] = clients(sim, "cloudfront")
    sim.cloudfront.add("E1")
    batch = {"Paths": {"Quantity": 1, "Items": ["#menu"]}, "CallerReference": "a"}
    with pytest.raises(ClientError) as refused:
        cloudfront.create_invalidation(DistributionId="E1", InvalidationBatch=batch)
    assert code(refused) == "InvalidArgument"


def test_accounts_roles_secrets_and_parameters_are_what_was_set(sim: Simulator) -> None:
    sts, iam, secrets, ssm = clients(sim, "sts", "iam", "secretsmanager", "ssm")
    assert sts.get_caller_identity()["Account"] == "108581769167"
    sim.iam.roles.add("task")
    assert iam.get_role(RoleName="task")["Role"]["Arn"].endswith(":role/task")
    with pytest.raises(ClientError) as refused:
        iam.get_role(RoleName="none")
    assert code(refused) == "NoSuchEntity"
    arn = sim.secrets.put("site/api", '{"key": "v"}')
    assert secrets.describe_secret(SecretId=arn)["Name"] == "site/api"
    assert secrets.get_secret_value(SecretId="site/api")["SecretString"] == '{"key": "v"}'
    with pytest.raises(ClientError) as refused:
        secrets.describe_secret(SecretId="site/none")
    assert code(refused) == "ResourceNotFoundException"
    sim.ssm.values["/site/key"] = "v"
    found = ssm.get_parameters(Names=["/site/key", "/site/none"], WithDecryption=True)
    assert (found["Parameters"][0]["Value"], found["InvalidParameters"]) == ("v", ["/site/none"])


def test_log_groups_and_streams_that_are_not_there_are_errors(sim: Simulator) -> None:
    [logs] = clients(sim, "logs")
    with pytest.raises(ClientError) as refused:
        logs.filter_log_events(logGroupName="/ecs/none")
    assert code(refused) == "ResourceNotFoundException"
    sim.logs.write("/ecs/web", "ecs/web/1", ["ERROR one", "two"])
    with pytest.raises(ClientError) as refused:
        logs.get_log_events(logGroupName="/ecs/web", logStreamName="ecs/web/2")
    assert code(refused) == "ResourceNotFoundException"
    found = logs.filter_log_events(logGroupName="/ecs/web", filterPattern="ERROR")["events"]
    assert [event["message"] for event in found] == ["ERROR one"]
    assert logs.describe_log_groups(logGroupNamePrefix="/ecs")["logGroups"][0]["logGroupName"] == "/ecs/web"


def test_load_balancers_are_described_with_the_listeners_and_rules_they_were_made_with(sim: Simulator) -> None:
    [elb] = clients(sim, "elbv2")
    group = elb.create_target_group(Name="api", Port=80, HealthCheckPath="/up", Matcher={"HttpCode": "200-299"})
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    assert group["TargetGroups"][0]["LoadBalancerArns"] == []
    balancer = elb.create_load_balancer(Name="front", Scheme="internal")["LoadBalancers"][0]
    assert balancer["DNSName"].startswith("internal-front-")
    forward = [{"Type": "forward", "TargetGroupArn": arn}]
    answer = [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}]
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=answer
    )["Listeners"][0]["ListenerArn"]
    for priority, path in ((20, "/b/*"), (3, "/a/*")):
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}
        elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=[condition], Actions=forward)
    pages = elb.get_paginator("describe_rules").paginate(ListenerArn=listener, PaginationConfig={"PageSize": 2})
    assert [rule["Priority"] for rule in pages.search("Rules[]")] == ["3", "20", "default"]
    found = elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    assert (found["LoadBalancerArns"], found["Matcher"]) == ([balancer["LoadBalancerArn"]], {"HttpCode": "200-299"})
    assert [b["LoadBalancerName"] for b in elb.describe_load_balancers(Names=["front"])["LoadBalancers"]] == ["front"]
    refusals: dict[str, Callable[[], object]] = {
        "LoadBalancerNotFound": lambda: elb.describe_load_balancers(LoadBalancerArns=["none"]),
        "ListenerNotFound": lambda: elb.describe_rules(ListenerArn="none"),
        "TargetGroupNotFound": lambda: elb.describe_target_groups(TargetGroupArns=[arn, "none"]),
    }
    for expected, ask in refusals.items():
        with pytest.raises(ClientError) as refused:
            ask()
        assert code(refused) == expected


def test_distributions_are_listed_in_pages_as_they_were_made(sim: Simulator) -> None:
    [cloudfront] = clients(sim, "cloudfront")
    for number in range(3):
        origin = {"Id": "front", "DomainName": f"front-{number}.example.com", "S3OriginConfig": _NO_ACCESS}
        config = {
            "CallerReference": str(number),
            "Aliases": {"Quantity": 1, "Items": [f"shop-{number}.example.com"]},
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": {"TargetOriginId": "front", "ViewerProtocolPolicy": "allow-all"},
            "Comment": "",
            "Enabled": True,
        }
        made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]
        assert cloudfront.get_distribution(Id=made["Id"])["Distribution"]["DomainName"] == made["DomainName"]
    pages = cloudfront.get_paginator("list_distributions").paginate(PaginationConfig={"PageSize": 2})
    listed = list(pages.search("DistributionList.Items[]"))
    assert [item["Origins"]["Items"][0]["DomainName"] for item in listed] == [
        f"front-{number}.example.com" for number in range(3)
    ]
    assert listed[1]["Aliases"]["Items"] == ["shop-1.example.com"]
    with pytest.raises(ClientError) as refused:
        cloudfront.create_distribution(DistributionConfig=config)
    assert code(refused) == "CNAMEAlreadyExists"


_NO_ACCESS = {"OriginAccessIdentity": ""}
