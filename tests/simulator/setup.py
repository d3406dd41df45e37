"""A service that already runs, in one call: what most tests begin with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import boto3
from botocore.config import Config

from tests.simulator.simulator import Simulator

Json = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """What ``serve`` made. ``digest`` is that of the image that runs."""

    name: str
    cluster: str
    repository: str
    digest: str
    task_definition: str
    target_group: str | None


def clients(sim: Simulator, *services: str) -> list[Any]:
    """Raw boto3 clients of the simulator, which never retry."""
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    session = _session(sim.region)
    return [session.client(name, endpoint_url=sim.url, config=config) for name in services]


@lru_cache(maxsize=4)
def _session(region: str) -> Any:
    """One session for all tests: reading the service models is most of what a client costs."""
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)


def container(
    sim: Simulator, name: str, image: str, *, port: int | None = None, environment: dict[str, str] | None = None
) -> Json:
    """A container definition with awslogs, as Terraform would write one."""
    options = {"awslogs-group": f"/ecs/{name}", "awslogs-region": sim.region, "awslogs-stream-prefix": "ecs"}
    return {
        "name": name,
        "image": image,
        "essential": True,
        "environment": [{"name": key, "value": value} for key, value in (environment or {}).items()],
        "portMappings": [{"containerPort": port, "protocol": "tcp"}] if port else [],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }


def serve(
    sim: Simulator,
    name: str,
    *,
    cluster: str = "default",
    repository: str | None = None,
    tag: str = "first",
    container_name: str | None = None,
    count: int = 2,
    port: int | None = 3000,
    routes: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
    breaker: bool | None = None,
    controller: str = "ECS",
    deregistration_delay: float = 15.0,
    settle: bool = True,
    shifting: Json | None = None,
    **service: Any,
) -> Served:
    """Push an image, register a task definition and create a service; ``settle`` waits until it is steady.

    ``breaker``: None without a circuit breaker, else whether it rolls back. ``port=None`` makes a worker that has no
    load balancer. ``shifting``: deploymentConfiguration's strategy and what goes with it, for a service that moves
    requests between two target groups. Other keywords go to CreateService as they are. None of this shows in
    ``sim.calls``.
    """
    repository = repository or name
    inner = container_name or name
    with sim.clock.lock:
        digest = sim.push(repository, tag)
        sim.ecs.create_cluster({"clusterName": cluster})
        image = f"{sim.ecr.host}/{repository}@{digest}"
        containers = [container(sim, inner, image, port=port, environment=environment)]
        body = {"family": name, "containerDefinitions": containers, "cpu": "256", "memory": "512"}
        body |= {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
        definition = sim.ecs.register_task_definition(body)["taskDefinition"]["taskDefinitionArn"]
        group = sim.elb.target_group(name, port=port, deregistration_delay=deregistration_delay) if port else None
        asked: Json = {"cluster": cluster, "serviceName": name, "taskDefinition": definition, "desiredCount": count}
        asked |= {"launchType": "FARGATE", "deploymentController": {"type": controller}, **service}
        if group:
            asked["loadBalancers"] = [{"targetGroupArn": group, "containerName": inner, "containerPort": port}]
        if shifting is not None:
            asked["deploymentConfiguration"] = {**asked.get("deploymentConfiguration", {}), **shifting}
        if group and shifting is not None:
            other = sim.elb.target_group(f"{name}-other", port=port or 80, deregistration_delay=deregistration_delay)
            asked["loadBalancers"][0]["advancedConfiguration"] = {
                "alternateTargetGroupArn": other,
                "productionListenerRule": sim.elb.listener.replace(":listener/", ":listener-rule/") + "/1",
                "roleArn": f"arn:aws:iam::{sim.account}:role/ecs-load-balancers",
            }
        if breaker is not None:
            settings = asked.setdefault("deploymentConfiguration", {})
            settings["deploymentCircuitBreaker"] = {"enable": True, "rollback": breaker}
        sim.ecs.create_service(asked)
        for pattern in routes:
            sim.route(pattern, name, cluster)
        if settle and controller == "ECS":
            made = sim.state.services[cluster, name]
            for _ in range(600):
                if made.steady:
                    break
                sim.clock.advance(1)
            if not made.steady:
                raise AssertionError(f"{name} did not get steady: {made.events[:3]}")
    return Served(name, cluster, repository, digest, definition, group)
