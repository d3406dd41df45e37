"""Create what a platform needs, through the AWS API alone, as its Terraform would."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from deploykit.errors import FailedBefore
from deploykit.model.hint import Hint, command
from deploykit.sandbox import cdn
from deploykit.sandbox import platform as platforms
from deploykit.sandbox.platform import Platform, ServicePlan

STEADY_SECONDS = 60.0
SECRET = "deploykit-sandbox"  # noqa: S105 (any secret key works: the sandbox does not check signatures)

#: Seconds as AWS takes them; the sandbox divides the interval and the grace period by its pace (settings.py).
HEALTH = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 4}
THRESHOLDS = {"HealthyThresholdCount": 2, "UnhealthyThresholdCount": 3}
GRACE_SECONDS = 120
TASK = {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}

#: ECS's own default has no circuit breaker: deploykit sees a rollout's failure, and ECS does not undo it.
_BREAKER = {"enable": False, "rollback": False}
DEPLOYMENT = {"maximumPercent": 200, "minimumHealthyPercent": 100, "deploymentCircuitBreaker": _BREAKER}
DEREGISTRATION_SECONDS = "30"

_BY_TASKS = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
_ASSUMABLE = json.dumps({"Version": "2012-10-17", "Statement": [_BY_TASKS]})


@dataclass(frozen=True)
class Database:
    """Where tasks find PostgreSQL."""

    host: str
    port: int
    name: str
    user: str
    password: str


@dataclass(frozen=True)
class _Shared:
    """What all services' tasks share; ``roles``: ARNs of execution and task role; ``arns``: secret name → ARN."""

    image: str
    database: Database | None
    roles: tuple[str, str]
    arns: dict[str, str]
    network: dict[str, Any]


class Account:
    """The sandbox's AWS account: one client for each service."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self._session = boto3.Session(aws_access_key_id=account, aws_secret_access_key=SECRET, region_name=region)
        self._endpoint = endpoint
        self._clients: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        if service not in self._clients:
            settings = Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"})
            self._clients[service] = self._session.client(  # type: ignore[call-overload]  # any service
                service, endpoint_url=self._endpoint, config=settings
            )
        return self._clients[service]


def provision(platform: Platform, aws: Account, image: str, database: Database | None) -> None:
    """Create everything of ``platform``, services last; their tasks run ``image`` until the first release."""
    for repository in platform.repositories:
        aws["ecr"].create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
    for repository in platform.mutable_repositories:
        aws["ecr"].create_repository(repositoryName=repository, imageTagMutability="MUTABLE")
    if platform.bucket:
        _bucket(platform, aws)
    for cluster in platform.clusters:
        aws["ecs"].create_cluster(clusterName=cluster)
    network = _network(aws)
    shared = _Shared(image, database, _roles(platform, aws), _secrets(platform, aws, database), network)
    groups, balancer = _load_balancer(platform, aws, network) if any(s.port for s in platform.services) else ({}, "")
    for distribution in platform.distributions:
        cdn.create(aws["cloudfront"], distribution, balancer or "no-origin.invalid")
    for service in platform.services:
        _service(platform, service, aws, shared, groups.get(service.key))


def await_steady(platform: Platform, aws: Account, waiting: Callable[[str], None]) -> None:
    """Return when every service's first deployment is COMPLETED. Raises FailedBefore after a minute.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """
    end, open_services = time.monotonic() + STEADY_SECONDS, list(platform.services)
    if open_services:
        waiting(f"waiting for {', '.join(s.name for s in open_services)}")
    while open_services:
        if time.monotonic() > end:
            events = _describe(aws, open_services[0])["events"]
            raise FailedBefore(
                f"service {open_services[0].name} is not steady: {events[0]['message'] if events else 'no event'}",
                Hint("start again: ", command("sandbox up")),
            )
        time.sleep(0.1)
        first = [_describe(aws, s)["deployments"][0] for s in open_services]
        open_services = [s for s, d in zip(open_services, first, strict=True) if d["rolloutState"] != "COMPLETED"]


def _describe(aws: Account, service: ServicePlan) -> dict[str, Any]:
    found: dict[str, Any] = aws["ecs"].describe_services(cluster=service.cluster, services=[service.name])
    return dict(found["services"][0])


def _bucket(platform: Platform, aws: Account) -> None:
    where = {"CreateBucketConfiguration": {"LocationConstraint": platform.region}}
    aws["s3"].create_bucket(Bucket=platform.bucket, **(where if platform.region != "us-east-1" else {}))
    aws["s3"].put_bucket_versioning(Bucket=platform.bucket, VersioningConfiguration={"Status": "Enabled"})


def _roles(platform: Platform, aws: Account) -> tuple[str, str]:
    """ARNs of the execution role and the task role."""
    names = (f"{platform.prefix}-task-execution", f"{platform.prefix}-task")
    made = [aws["iam"].create_role(RoleName=n, AssumeRolePolicyDocument=_ASSUMABLE)["Role"]["Arn"] for n in names]
    return made[0], made[1]


def _secrets(platform: Platform, aws: Account, database: Database | None) -> dict[str, str]:
    """Create every secret with random values; return ARN by name. The database's has the fields of RDS's own."""
    wanted: dict[str, dict[str, str]] = {}
    for service in platform.services:
        for name, key in service.secrets.values():
            wanted.setdefault(name, {})[key] = secrets.token_urlsafe(24)
    texts = {name: values.get("") or json.dumps(values) for name, values in wanted.items()}
    if database:
        where = {"host": database.host, "port": database.port, "dbname": database.name}
        who = {"username": database.user, "password": database.password}
        texts[_database_secret(platform)] = json.dumps(who | where)
    create = aws["secretsmanager"].create_secret
    return {name: create(Name=name, SecretString=text)["ARN"] for name, text in texts.items()}


def _database_secret(platform: Platform) -> str:
    return f"{platform.prefix}/database"


def _network(aws: Account) -> dict[str, Any]:
    """The account's default VPC: its id, two subnets, the default security group."""
    subnets = aws["ec2"].describe_subnets()["Subnets"]
    vpc = subnets[0]["VpcId"]
    groups = aws["ec2"].describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return {"vpc": vpc, "subnets": [s["SubnetId"] for s in subnets[:2]], "groups": [g["GroupId"] for g in groups[:1]]}


def _load_balancer(platform: Platform, aws: Account, network: dict[str, Any]) -> tuple[dict[str, str], str]:
    """Create a load balancer with a rule for each service's routes; return target group ARNs and its DNS name."""
    elb = aws["elbv2"]
    where = {"Subnets": network["subnets"], "SecurityGroups": network["groups"]}
    made = elb.create_load_balancer(Name=_short(platform.prefix), **where)["LoadBalancers"][0]
    groups = {}
    for service in (s for s in platform.services if s.port is not None):
        settings = {"Protocol": "HTTP", "TargetType": "ip", "Matcher": {"HttpCode": "200"}, **HEALTH, **THRESHOLDS}
        settings |= {"Port": service.port, "HealthCheckPath": service.health_check, "VpcId": network["vpc"]}
        group = elb.create_target_group(Name=_short(service.name), **settings)["TargetGroups"][0]
        groups[service.key] = group["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": DEREGISTRATION_SECONDS}
        elb.modify_target_group_attributes(TargetGroupArn=groups[service.key], Attributes=[delay])
    rest = next((groups[s.key] for s in platform.services if s.port and not s.routes), "")
    nothing = {"StatusCode": "404", "ContentType": "text/plain", "MessageBody": "no service has a route for this path"}
    default = {"Type": "fixed-response", "FixedResponseConfig": nothing}
    if rest:
        default = {"Type": "forward", "TargetGroupArn": rest}
    front = {"LoadBalancerArn": made["LoadBalancerArn"], "Protocol": "HTTP", "Port": 80}
    listener = elb.create_listener(**front, DefaultActions=[default])["Listeners"][0]["ListenerArn"]
    for priority, service in enumerate((s for s in platform.services if s.port and s.routes), start=1):
        paths = [{"Field": "path-pattern", "Values": list(service.routes)}]
        forward = [{"Type": "forward", "TargetGroupArn": groups[service.key]}]
        elb.create_rule(ListenerArn=listener, Priority=priority * 10, Conditions=paths, Actions=forward)
    return groups, made["DNSName"]


def _service(platform: Platform, service: ServicePlan, aws: Account, shared: _Shared, group: str | None) -> None:
    log_group = f"/ecs/{platform.prefix}/{service.key}"
    aws["logs"].create_log_group(logGroupName=log_group)
    aws["logs"].put_retention_policy(logGroupName=log_group, retentionInDays=30)
    definition = aws["ecs"].register_task_definition(
        family=service.name,
        executionRoleArn=shared.roles[0],
        taskRoleArn=shared.roles[1],
        containerDefinitions=[_container(platform, service, shared, log_group)],
        runtimePlatform={"cpuArchitecture": platforms.architecture(), "operatingSystemFamily": "LINUX"},
        **TASK,
    )["taskDefinition"]["taskDefinitionArn"]
    balanced: dict[str, Any] = {}
    if group:
        target = {"targetGroupArn": group, "containerName": service.container, "containerPort": service.port}
        balanced = {"loadBalancers": [target], "healthCheckGracePeriodSeconds": GRACE_SECONDS}
    subnets, groups = shared.network["subnets"], shared.network["groups"]
    placement = {"subnets": subnets, "securityGroups": groups, "assignPublicIp": "DISABLED"}
    aws["ecs"].create_service(
        cluster=service.cluster,
        serviceName=service.name,
        taskDefinition=definition,
        desiredCount=service.count,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": placement},
        deploymentConfiguration=DEPLOYMENT,
        **balanced,
    )


def _container(platform: Platform, service: ServicePlan, shared: _Shared, log_group: str) -> dict[str, Any]:
    """The container definition of one service's tasks."""
    variables, arns, database = dict(service.environment), shared.arns, shared.database
    injected = {v: f"{arns[name]}:{key}::" if key else arns[name] for v, (name, key) in service.secrets.items()}
    if database:
        where = {"DB_HOST": database.host, "DB_PORT": str(database.port), "DB_NAME": database.name}
        variables |= {**where, "DB_USERNAME": database.user}
        injected["DB_PASSWORD"] = f"{arns[_database_secret(platform)]}:password::"
    if service.port:  # for the placeholder; a release's image may ignore them
        variables.setdefault("PORT", str(service.port))
        variables.setdefault("HEALTH_CHECK", service.health_check)
    log = {"awslogs-group": log_group, "awslogs-region": platform.region, "awslogs-stream-prefix": "ecs"}
    return {
        "name": service.container,
        "image": shared.image,
        "essential": True,
        "portMappings": [{"containerPort": service.port, "protocol": "tcp"}] if service.port else [],
        "environment": [{"name": k, "value": v} for k, v in sorted(variables.items())],
        "secrets": [{"name": k, "valueFrom": v} for k, v in sorted(injected.items())],
        "logConfiguration": {"logDriver": "awslogs", "options": log},
    }


def _short(name: str) -> str:
    """A name that a load balancer may have: at most 32 characters, no hyphen at its ends."""
    return name if len(name) <= 32 else f"{name[:27].strip('-')}-{secrets.token_hex(2)}"
