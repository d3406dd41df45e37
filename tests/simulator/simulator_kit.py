"""What the simulator's own tests share: one service that runs, and looks at it by raw boto3."""

from __future__ import annotations

from typing import Any

from tests.simulator import Behaviour, Served, Simulator, clients, serve

Json = dict[str, Any]


class Bench:
    """A simulator with one service, its boto3 clients, and the few questions every test asks."""

    def __init__(self, sim: Simulator, name: str = "web", **options: Any) -> None:
        self.sim = sim
        self.name = name
        self.served: Served = serve(sim, name, **options)
        self.ecs, self.elb, self.logs = clients(sim, "ecs", "elbv2", "logs")

    def release(self, tag: str, behaviour: Behaviour | None = None) -> str:
        """Push an image and register the live definition with it; returns the new revision's ARN."""
        digest = self.sim.push(self.served.repository, tag)
        if behaviour is not None:
            self.sim.image(digest, behaviour)
        live = self.ecs.describe_task_definition(taskDefinition=self.served.task_definition)["taskDefinition"]
        containers = live["containerDefinitions"]
        containers[0]["image"] = f"{self.sim.ecr.host}/{self.served.repository}@{digest}"
        answer = self.ecs.register_task_definition(family=self.name, containerDefinitions=containers)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, definition: str, **more: Any) -> str:
        """UpdateService; returns the new PRIMARY deployment's id."""
        answer = self.ecs.update_service(service=self.name, taskDefinition=definition, **more)
        return str(answer["service"]["deployments"][0]["id"])

    def service(self) -> Json:
        found: Json = self.ecs.describe_services(services=[self.name])["services"][0]
        return found

    def deployments(self) -> list[tuple[str, str, str]]:
        """(revision, status, rollout state) of every deployment, the newest first."""
        return [
            (entry["taskDefinition"].rpartition(":")[2], entry["status"], entry["rolloutState"])
            for entry in self.service()["deployments"]
        ]

    def events(self) -> list[str]:
        """The service's events, oldest first, without its name."""
        return [entry["message"].removeprefix(f"(service {self.name}) ") for entry in self.service()["events"]][::-1]

    def tasks(self, status: str = "RUNNING") -> list[Json]:
        arns = self.ecs.list_tasks(serviceName=self.name, desiredStatus=status)["taskArns"]
        return list(self.ecs.describe_tasks(tasks=arns)["tasks"]) if arns else []

    def target_states(self) -> list[str]:
        found = self.elb.describe_target_health(TargetGroupArn=self.served.target_group)
        return sorted(entry["TargetHealth"]["State"] for entry in found["TargetHealthDescriptions"])

    def newest_record(self) -> Json:
        arn = self.ecs.list_service_deployments(service=self.name)["serviceDeployments"][0]["serviceDeploymentArn"]
        found: Json = self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        return found

    def seconds_until(self, state: str, limit: int = 3600) -> int:
        """Virtual seconds until the PRIMARY deployment has this rollout state."""
        for passed in range(limit):
            if self.service()["deployments"][0]["rolloutState"] == state:
                return passed
            self.sim.clock.advance(1)
        raise AssertionError(f"not {state} in {limit} s: {self.deployments()}")
