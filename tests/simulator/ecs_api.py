"""The calls of the simulated ECS. Each method is one operation: JSON in, JSON out, or AwsError.

Error codes: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import copy
from typing import Any

from tests.simulator.ecs_rollout import Scheduler
from tests.simulator.ecs_shift import shifts
from tests.simulator.ecs_state import EcsState, Service, TaskDefinition
from tests.simulator.ecs_tasks import Tasks
from tests.simulator.ecs_views import definition_view, rollout_view, service_view
from tests.simulator.errors import AwsError

Json = dict[str, Any]


def page(items: list[Any], p: Json, key: str, default: int = 100) -> Json:
    """One page of ``items`` under ``key``; the token is the place to go on from."""
    size, start = int(p.get("maxResults") or default), int(p.get("nextToken") or 0)
    answer: Json = {key: items[start : start + size]}
    if start + size < len(items):
        answer["nextToken"] = str(start + size)
    return answer


class ServiceCalls:
    """Clusters, services and task definitions."""

    def __init__(self, state: EcsState, tasks: Tasks, scheduler: Scheduler) -> None:
        self.state, self.tasks, self.scheduler = state, tasks, scheduler

    # -- clusters --------------------------------------------------------------------------------------------------

    def create_cluster(self, p: Json) -> Json:
        name = p.get("clusterName", "default")
        arn = self.state.arn("cluster", name)
        self.state.clusters.setdefault(name, {"clusterArn": arn, "clusterName": name, "status": "ACTIVE"})
        return {"cluster": self.state.clusters[name]}

    def describe_clusters(self, p: Json) -> Json:
        found, failures = [], []
        for reference in p.get("clusters") or ["default"]:
            name = reference.rpartition("/")[2]
            if name not in self.state.clusters:
                failures.append({"arn": self.state.arn("cluster", name), "reason": "MISSING"})
                continue
            services = [s for s in self.state.services.values() if s.cluster == name and s.status == "ACTIVE"]
            tasks = [t for t in self.state.tasks.values() if t.cluster == name]
            running = sum(t.last_status == "RUNNING" for t in tasks)
            found.append(
                {**self.state.clusters[name], "activeServicesCount": len(services), "runningTasksCount": running}
            )
        return {"clusters": found, "failures": failures}

    def list_clusters(self, p: Json) -> Json:
        return page([cluster["clusterArn"] for cluster in self.state.clusters.values()], p, "clusterArns")

    # -- services --------------------------------------------------------------------------------------------------

    def create_service(self, p: Json) -> Json:
        cluster = self.state.cluster(p.get("cluster"))
        name = p["serviceName"]
        known = self.state.services.get((cluster, name))
        if known is not None and known.status == "ACTIVE":
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        definition = self.state.usable_definition(p["taskDefinition"])
        service = Service(
            arn=self.state.arn("service", f"{cluster}/{name}"),
            name=name,
            cluster=cluster,
            body={key: value for key, value in p.items() if key not in ("tags", "cluster", "taskDefinition")},
            definition=definition,
            desired=int(p.get("desiredCount", 0)),
            created_at=self.state.clock.stamp,
        )
        if shifts(service) and any("advancedConfiguration" not in b for b in service.body.get("loadBalancers", [])):
            # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_AdvancedConfiguration.html
            text = "advancedConfiguration is required on loadBalancers with this deployment strategy."
            raise AwsError("InvalidParameterException", text)
        self.state.services[cluster, name] = service
        self.state.tags[service.arn] = list(p.get("tags", []))
        if service.controller == "ECS":
            self.scheduler.begin(service, definition)
        return {"service": service_view(self.state, service, tags=True)}

    def update_service(self, p: Json) -> Json:
        cluster = self.state.cluster(p.get("cluster"))
        service = self.state.service(cluster, p["service"])
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        definition = service.definition
        before = service_view(self.state, service, tags=False)
        if "taskDefinition" in p:
            definition = self.state.usable_definition(p["taskDefinition"])
            if service.controller != "ECS":
                # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
                raise AwsError(
                    "InvalidParameterException",
                    f"Unable to update task definition on services with a {service.controller} deployment controller. "
                    "Use AWS CodeDeploy to trigger a new deployment.",
                )
        elif p.get("forceNewDeployment"):
            definition = self.state.usable_definition(definition.arn)
        changed = definition is not service.definition or p.get("forceNewDeployment", False)
        settings = ("deploymentConfiguration", "healthCheckGracePeriodSeconds", "networkConfiguration", "loadBalancers")
        for key in settings:
            if key in p:
                service.body[key] = p[key]
        if "desiredCount" in p:
            service.desired = int(p["desiredCount"])
        if changed:
            self.scheduler.begin(service, definition)
        else:
            self.scheduler.reconcile(service)
        if self.state.lag:
            # "The Amazon ECS API follows an eventual consistency model": the answer to the call itself is new.
            # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
            service.shown = (self.state.clock.now + self.state.lag, copy.deepcopy(before))
        return {"service": service_view(self.state, service, tags=False)}

    def delete_service(self, p: Json) -> Json:
        service = self.state.service(self.state.cluster(p.get("cluster")), p["service"])
        if service.desired and not p.get("force"):
            raise AwsError("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
        service.status = "INACTIVE"
        for task in self.state.tasks_of(service):
            self.tasks.stop(task, "ServiceSchedulerInitiated", "Service was deleted")
        return {"service": service_view(self.state, service, tags=False)}

    def describe_services(self, p: Json) -> Json:
        if len(p["services"]) > 10:
            raise AwsError("InvalidParameterException", "Services cannot contain more than 10 elements.")
        if not p["services"]:
            raise AwsError("InvalidParameterException", "Services cannot be empty.")
        cluster = self.state.cluster(p.get("cluster"))
        found, failures = [], []
        for reference in p["services"]:
            name = reference.rpartition("/")[2]
            service = self.state.services.get((cluster, name))
            if service is None:
                failures.append({"arn": self.state.arn("service", f"{cluster}/{name}"), "reason": "MISSING"})
            elif service.shown is not None and self.state.clock.now < service.shown[0]:
                found.append(service.shown[1])
            else:
                found.append(service_view(self.state, service, "TAGS" in p.get("include", [])))
        return {"services": found, "failures": failures}

    def list_services(self, p: Json) -> Json:
        cluster = self.state.cluster(p.get("cluster"))
        arns = [s.arn for s in self.state.services.values() if s.cluster == cluster and s.status == "ACTIVE"]
        return page(arns, p, "serviceArns", default=10)

    # -- task definitions ------------------------------------------------------------------------------------------

    def register_task_definition(self, p: Json) -> Json:
        if not p["containerDefinitions"]:
            raise AwsError("ClientException", "Container list cannot be empty.")
        for container in p["containerDefinitions"]:
            if not container.get("image"):
                raise AwsError("ClientException", "Container.image should not be null or empty.")
        family = p["family"]
        known = self.state.definitions.setdefault(family, [])
        revision = len(known) + 1
        arn = self.state.arn("task-definition", f"{family}:{revision}")
        definition = TaskDefinition(arn, family, revision, dict(p), self.state.clock.stamp)
        known.append(definition)
        self.state.tags[arn] = list(p.get("tags", []))
        return {"taskDefinition": definition_view(self.state, definition), "tags": self.state.tags[arn]}

    def describe_task_definition(self, p: Json) -> Json:
        definition = self.state.definition(p["taskDefinition"])
        if definition is None:
            raise AwsError("ClientException", "Unable to describe task definition.")
        answer: Json = {"taskDefinition": definition_view(self.state, definition)}
        if "TAGS" in p.get("include", []):
            answer["tags"] = self.state.tags.get(definition.arn, [])
        return answer

    def deregister_task_definition(self, p: Json) -> Json:
        reference = p["taskDefinition"]
        definition = self.state.definition(reference) if ":" in reference else None
        if definition is None:
            raise AwsError(
                "ClientException",
                "The specified task definition does not exist. "
                "Specify a valid account, family, revision and try again.",
            )
        if definition.status == "ACTIVE":
            definition.status, definition.deregistered_at = "INACTIVE", self.state.clock.now
        return {"taskDefinition": definition_view(self.state, definition)}

    def list_task_definitions(self, p: Json) -> Json:
        # familyPrefix is a full family name:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html
        wanted, status = p.get("familyPrefix"), p.get("status", "ACTIVE")
        arns = [
            definition.arn
            for family in sorted(self.state.definitions)
            for definition in self.state.definitions[family]
            if wanted in (None, family) and definition.status == status
        ]
        if p.get("sort") == "DESC":
            arns.reverse()
        return page(arns, p, "taskDefinitionArns")

    # -- tags ------------------------------------------------------------------------------------------------------

    def _tagged(self, arn: str) -> list[Json]:
        if arn not in self.state.tags:
            raise AwsError("InvalidParameterException", "The specified resource could not be found.")
        return self.state.tags[arn]

    def tag_resource(self, p: Json) -> Json:
        tags = self._tagged(p["resourceArn"])
        added = {tag["key"] for tag in p["tags"]}
        tags[:] = [tag for tag in tags if tag["key"] not in added] + list(p["tags"])
        if len(tags) > 50:
            raise AwsError("InvalidParameterException", "The number of tags cannot be more than 50.")
        return {}

    def untag_resource(self, p: Json) -> Json:
        tags = self._tagged(p["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in p["tagKeys"]]
        return {}

    def list_tags_for_resource(self, p: Json) -> Json:
        return {"tags": self._tagged(p["resourceArn"])}

    def deployments(self, cluster: str, name: str) -> list[Json]:
        """For tests: deployments[] of one service, without a call."""
        service = self.state.services[cluster, name]
        return [rollout_view(self.state, service, rollout) for rollout in service.deployments]
