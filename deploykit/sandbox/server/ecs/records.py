"""The records DescribeTasks and DescribeServices show; keys that begin with ``_`` are internal and never shown."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any

from deploykit.sandbox.server.ecs import wording

Record = dict[str, Any]

#: How many events DescribeServices shows at most.
EVENTS = 100

#: Statuses of a task that is not stopping and has not stopped.
LIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")


def short(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def new_deployment(service: Record, definition: str, desired: int) -> Record:
    now = time.time()
    name = f"ecs-svc/{random.randrange(10**18, 10**19)}"  # noqa: S311 (a name, no secret)
    return {
        "id": name,
        "status": "PRIMARY",
        "taskDefinition": definition,
        "desiredCount": desired,
        "pendingCount": 0,
        "runningCount": 0,
        "failedTasks": 0,
        "createdAt": now,
        "updatedAt": now,
        "launchType": service.get("launchType") or "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": service.get("networkConfiguration") or {},
        "rolloutState": "IN_PROGRESS",
        "rolloutStateReason": wording.IN_PROGRESS.format(deployment=name),
        "_retry_at": 0.0,
        "_healthy_once": False,
    }


def new_task(definition: Record, cluster: Record, account: str, region: str, request: Record) -> Record:
    """A PROVISIONING task of ``definition``; ``request`` is RunTask's, or the scheduler's own."""
    name = uuid.uuid4().hex
    arn = f"arn:aws:ecs:{region}:{account}:task/{short(cluster['clusterArn'])}/{name}"
    now = time.time()
    overrides = request.get("overrides") or {}
    configuration = (request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    return {
        "taskArn": arn,
        "clusterArn": cluster["clusterArn"],
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "overrides": {"containerOverrides": [], "inferenceAcceleratorOverrides": [], **overrides},
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "launchType": request.get("launchType") or "FARGATE",
        "cpu": str(overrides.get("cpu") or definition.get("cpu") or "256"),
        "memory": str(overrides.get("memory") or definition.get("memory") or "512"),
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "connectivity": "CONNECTED",
        "connectivityAt": now,
        "createdAt": now,
        "group": request.get("group") or f"family:{definition['family']}",
        "startedBy": request.get("startedBy") or None,
        "version": 1,
        "containers": [
            {
                "containerArn": f"arn:aws:ecs:{region}:{account}:container/{short(cluster['clusterArn'])}/{name}/"
                f"{uuid.uuid4()}",
                "taskArn": arn,
                "name": container["name"],
                "image": container["image"],
                "lastStatus": "PENDING",
                "networkInterfaces": [],
                "cpu": str(container.get("cpu", 0)),
                "healthStatus": "UNKNOWN",
            }
            for container in definition["containerDefinitions"]
        ],
        "attachments": [],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": f"{region}a",
        "enableExecuteCommand": bool(request.get("enableExecuteCommand")),
        "healthStatus": "UNKNOWN",
        "ephemeralStorage": definition.get("ephemeralStorage") or {"sizeInGiB": 20},
        "tags": list(request.get("tags") or []),
        "_definition": definition,
        "_subnet": (configuration.get("subnets") or [""])[0],
        "_containers": [],
        "_targets": [],
        "_deployment": request.get("_deployment"),
        "_load_balancers": list(request.get("_load_balancers") or []),
        "_healthy_at": None,
        "_counted": False,
    }


def event(service: Record, sentence: str, **fields: object) -> None:
    """Write one service event, one of wording.py's with its ``fields``; the newest is first."""
    message = f"(service {service['serviceName']}) {sentence.format(**fields)}"
    service["events"].insert(0, {"id": str(uuid.uuid4()), "createdAt": time.time(), "message": message})
    del service["events"][EVENTS:]


def live(task: Record) -> bool:
    return task["lastStatus"] in LIVE and task["desiredStatus"] == "RUNNING"
