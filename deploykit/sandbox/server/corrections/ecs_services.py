"""Services run under a scheduler that waits for target health; what AWS refuses is refused.

Restores: a first deployment is IN_PROGRESS until its tasks are healthy; deployments fail and then disappear; failed
tasks are counted with and without a circuit breaker; service events have AWS's words; UpdateService refuses an unknown
or INACTIVE revision; a rolling update stays within minimumHealthyPercent and maximumPercent.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import json_response
from ministack.services import alb, ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.lookup import Refused, active_definition, cluster_of, definition_to_run, service_of
from deploykit.sandbox.server.ecs.records import LIVE, Record, new_deployment

REQUIRES = (("services.ecs", "_describe_services", "(data)"),)
MOST_DESCRIBED = 10

#: Fields of UpdateService that change the service without a new deployment.
SETTINGS = (
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "deploymentConfiguration",
    "propagateTags",
    "enableECSManagedTags",
)

#: Fields whose change starts a new deployment.
REVISED = ("networkConfiguration", "loadBalancers", "platformVersion", "capacityProviderStrategy")


def install(parts: Parts) -> None:
    describe = ecs._describe_services

    def described(data: Record) -> Any:
        if len(data.get("services") or []) > MOST_DESCRIBED:
            raise Refused("InvalidParameterException", "Services cannot have more than 10 elements.")
        return describe(data)

    def changed(change: Callable[[Parts, Record], Record]) -> Callable[[Record], Any]:
        return lambda data: json_response({"service": ecs._sanitize(change(parts, data))})

    ecs._ACTION_MAP.update(
        CreateService=changed(_create),
        UpdateService=changed(_update),
        DeleteService=changed(_delete),
        DescribeServices=described,
    )


def _create(parts: Parts, data: Record) -> Record:
    cluster = cluster_of(data)
    name = data.get("serviceName") or ""
    key = f"{cluster['clusterName']}/{name}"
    if not name:
        raise Refused("InvalidParameterException", "Service name cannot be empty.")
    if ecs._services.get(key, {}).get("status") in ("ACTIVE", "DRAINING"):
        raise Refused("InvalidParameterException", "Creation of service was not idempotent.")
    definition = definition_to_run(data)
    for balancer in data.get("loadBalancers") or []:
        if balancer.get("targetGroupArn") not in alb._tgs:
            raise Refused("InvalidParameterException", f"Unable to find target group {balancer.get('targetGroupArn')}")
    settings = parts.settings
    service: Record = {
        "serviceArn": f"arn:aws:ecs:{settings.region}:{settings.account}:service/{key}",
        "serviceName": name,
        "clusterArn": cluster["clusterArn"],
        "loadBalancers": data.get("loadBalancers") or [],
        "serviceRegistries": data.get("serviceRegistries") or [],
        "status": "ACTIVE",
        "desiredCount": int(data.get("desiredCount", 0)),
        "runningCount": 0,
        "pendingCount": 0,
        "launchType": data.get("launchType") or "FARGATE",
        "platformVersion": data.get("platformVersion") or "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": definition["taskDefinitionArn"],
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": False, "rollback": False},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            **(data.get("deploymentConfiguration") or {}),
        },
        "deployments": [],
        "roleArn": f"arn:aws:iam::{settings.account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "events": [],
        "createdAt": time.time(),
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": data.get("networkConfiguration") or {},
        "healthCheckGracePeriodSeconds": int(data.get("healthCheckGracePeriodSeconds") or 0),
        "schedulingStrategy": data.get("schedulingStrategy") or "REPLICA",
        "deploymentController": data.get("deploymentController") or {"type": "ECS"},
        "createdBy": f"arn:aws:iam::{settings.account}:root",
        "enableECSManagedTags": bool(data.get("enableECSManagedTags")),
        "propagateTags": data.get("propagateTags") or "NONE",
        "enableExecuteCommand": bool(data.get("enableExecuteCommand")),
    }
    if data.get("tags"):
        ecs._tags[service["serviceArn"]] = list(data["tags"])
    ecs._services[key] = service
    _deploy(parts, service)
    return service


def _update(parts: Parts, data: Record) -> Record:
    service = service_of(data)
    if service["status"] != "ACTIVE":
        raise Refused("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = active_definition(data["taskDefinition"]) if data.get("taskDefinition") else None
    for field in SETTINGS:
        if data.get(field) is not None:
            service[field] = data[field]
    revised = [f for f in REVISED if data.get(f) is not None and data[f] != service.get(f)]
    service.update({f: data[f] for f in revised})
    if data.get("desiredCount") is not None:
        service["desiredCount"] = service["deployments"][0]["desiredCount"] = int(data["desiredCount"])
    moved = definition is not None and definition["taskDefinitionArn"] != service["taskDefinition"]
    if definition is not None:
        service["taskDefinition"] = definition["taskDefinitionArn"]
    if moved or revised or data.get("forceNewDeployment"):
        _deploy(parts, service)
    parts.scheduler.wake()
    return service


def _deploy(parts: Parts, service: Record) -> None:
    """Start a new deployment of the service as it is now; the previous one stays ACTIVE until it is drained."""
    deployment = new_deployment(service, service["taskDefinition"], service["desiredCount"])
    for earlier in service["deployments"]:
        earlier.update(status="ACTIVE", updatedAt=time.time())
    service["deployments"].insert(0, deployment)
    parts.history.begin(service, deployment)
    parts.scheduler.wake()


def _delete(parts: Parts, data: Record) -> Record:
    service = service_of(data)
    if service["desiredCount"] and not data.get("force"):
        raise Refused("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
    service.update(status="DRAINING", desiredCount=0)
    for task in parts.scheduler.tasks_of(service):
        if task["lastStatus"] in LIVE:
            parts.tasks.stop(task, "Service deleted", "ServiceSchedulerInitiated")
    parts.scheduler.wake()
    return service
