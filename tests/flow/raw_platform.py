"""A platform made by AWS calls alone, as Terraform would have made it: nothing of deploykit is asked or read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from tests.simulator.setup import clients
from tests.simulator.simulator import Simulator

Json = dict[str, Any]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class RawPlatform:
    """One cluster of a simulated account and what stands before it."""

    def __init__(self, sim: Simulator, cluster: str) -> None:
        self.sim, self.cluster = sim, cluster
        self.ecs, self.ecr, self.elb, self.cloudfront = clients(sim, "ecs", "ecr", "elbv2", "cloudfront")
        self.ecs.create_cluster(clusterName=cluster)
        self.priorities: dict[str, int] = {}

    def image(self, repository: str, tag: str) -> str:
        """Push an image to ECR; its name by tag."""
        if repository not in {r["repositoryName"] for r in self.ecr.describe_repositories()["repositories"]}:
            self.ecr.create_repository(repositoryName=repository, imageTagMutability="IMMUTABLE")
        config = {"digest": "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest(), "mediaType": "x/y"}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        self.ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)
        return f"{self.sim.account}.dkr.ecr.{self.sim.region}.amazonaws.com/{repository}:{tag}"

    def balancer(self, name: str, *, default: str | None = None, internal: bool = False) -> Json:
        """A load balancer with a listener on port 80 (``Listener``); ``default``: the target group of the rest."""
        scheme = "internal" if internal else "internet-facing"
        made: Json = self.elb.create_load_balancer(Name=name, Scheme=scheme)["LoadBalancers"][0]
        made["Listener"] = self.listener(made, default)
        return made

    def listener(self, balancer: Json, default: str | None, protocol: str = "HTTP", port: int = 80) -> str:
        nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        action = {"Type": "forward", "TargetGroupArn": default} if default else nothing
        listener = self.elb.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"], Protocol=protocol, Port=port, DefaultActions=[action]
        )
        return str(listener["Listeners"][0]["ListenerArn"])

    def group(self, name: str, port: int, health: str = "/", codes: str = "200") -> str:
        made = self.elb.create_target_group(
            Name=name, Protocol="HTTP", Port=port, HealthCheckPath=health, Matcher={"HttpCode": codes}
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def rule(self, listener: str, group: str, *, paths: Sequence[str] = (), hosts: Sequence[str] = ()) -> None:
        self.priorities[listener] = self.priorities.get(listener, 0) + 10
        conditions: list[Json] = []
        if paths:
            conditions.append({"Field": "path-pattern", "PathPatternConfig": {"Values": list(paths)}})
        if hosts:
            conditions.append({"Field": "host-header", "HostHeaderConfig": {"Values": list(hosts)}})
        forward = {"Type": "forward", "TargetGroupArn": group}
        self.elb.create_rule(
            ListenerArn=listener, Priority=self.priorities[listener], Conditions=conditions, Actions=[forward]
        )

    def service(
        self,
        name: str,
        containers: Sequence[Json],
        *,
        group: tuple[str, str, int] | None = None,
        count: int = 1,
        controller: str = "ECS",
    ) -> None:
        """``group``: target group, and the container and port that its requests go to."""
        definition = self.ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=list(containers),
        )["taskDefinition"]["taskDefinitionArn"]
        balanced = [{"targetGroupArn": group[0], "containerName": group[1], "containerPort": group[2]}] if group else []
        self.ecs.create_service(
            cluster=self.cluster,
            serviceName=name,
            taskDefinition=definition,
            desiredCount=count,
            launchType="FARGATE",
            deploymentController={"type": controller},
            loadBalancers=balanced,
        )
        self.sim.clock.advance(60)

    def distribution(self, origin: str, *aliases: str, elsewhere: Sequence[str] = ()) -> str:
        """A distribution before ``origin``; paths of ``elsewhere`` go to a bucket. Its id."""
        behaviours = [{"PathPattern": path, **_behaviour("bucket")} for path in elsewhere]
        origins = [_origin("site", origin), *([_origin("bucket", "b.s3.amazonaws.com")] if elsewhere else [])]
        made = self.cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": origin,
                "Aliases": {"Quantity": len(aliases), "Items": list(aliases)},
                "Origins": {"Quantity": len(origins), "Items": origins},
                "DefaultCacheBehavior": _behaviour("site"),
                "CacheBehaviors": {"Quantity": len(behaviours), "Items": behaviours},
                "Comment": "",
                "Enabled": True,
            }
        )
        return str(made["Distribution"]["Id"])


def container(
    name: str, image: str, *, port: int | None = None, environment: dict[str, str] | None = None, **more: Any
) -> Json:
    """A container definition with the awslogs driver."""
    options = {"awslogs-group": f"/ecs/{name}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "ecs"}
    return {
        "name": name,
        "image": image,
        "essential": True,
        "environment": [{"name": key, "value": value} for key, value in (environment or {}).items()],
        "portMappings": [{"containerPort": port, "protocol": "tcp"}] if port else [],
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        **more,
    }


def _origin(name: str, host: str) -> Json:
    ports = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
    return {"Id": name, "DomainName": host, "CustomOriginConfig": ports}


def _behaviour(origin: str) -> Json:
    return {"TargetOriginId": origin, "ViewerProtocolPolicy": "redirect-to-https"}
