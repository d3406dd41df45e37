"""What the simulated ECS says of itself: its nouns as the JSON of the API."""

from __future__ import annotations

from typing import Any

from tests.simulator.clock import EPOCH
from tests.simulator.ecs_state import EcsState, Rollout, Service, Task, TaskDefinition

Json = dict[str, Any]

REGISTERED_ONLY = ("tags",)
ATTRIBUTES = [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}, {"name": "ecs.capability.task-eni"}]


def definition_view(state: EcsState, definition: TaskDefinition) -> Json:
    """A task definition with the fields that only describing shows."""
    body = {key: value for key, value in definition.body.items() if key not in REGISTERED_ONLY}
    containers = [
        {"cpu": 0, "portMappings": [], "essential": True, "environment": [], "mountPoints": [], "volumesFrom": [], **c}
        for c in body.pop("containerDefinitions")
    ]
    view = {
        "volumes": [],
        "placementConstraints": [],
        **body,
        "containerDefinitions": containers,
        "taskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        "requiresAttributes": ATTRIBUTES,
        "compatibilities": sorted({"EC2", *body.get("requiresCompatibilities", [])}),
        "registeredAt": definition.registered_at,
        "registeredBy": f"arn:aws:sts::{state.account}:assumed-role/tests/session",
    }
    if definition.deregistered_at is not None:
        view["deregisteredAt"] = EPOCH.timestamp() + definition.deregistered_at
    return view


def counts(tasks: list[Task]) -> Json:
    """runningCount and pendingCount; what is on its way down counts in neither."""
    return {
        "runningCount": sum(task.last_status == "RUNNING" for task in tasks),
        "pendingCount": sum(task.last_status in ("PROVISIONING", "PENDING", "ACTIVATING") for task in tasks),
    }


def rollout_view(state: EcsState, service: Service, rollout: Rollout) -> Json:
    mine = [task for task in state.tasks_of(service) if task.deployment is rollout]
    live = [task for task in mine if task.desired_status == "RUNNING"]
    view = {
        "id": rollout.id,
        "status": rollout.status,
        "taskDefinition": rollout.definition.arn,
        "desiredCount": service.desired if rollout.status == "PRIMARY" else len(live),
        "failedTasks": rollout.failed_tasks,
        "createdAt": rollout.created_at,
        "updatedAt": rollout.updated_at,
        "launchType": service.body.get("launchType", "FARGATE"),
        "rolloutState": rollout.rollout_state,
        "rolloutStateReason": rollout.reason,
        **counts(mine),
    }
    if "networkConfiguration" in service.body:
        view["networkConfiguration"] = service.body["networkConfiguration"]
    return view


def service_view(state: EcsState, service: Service, tags: bool) -> Json:
    body = service.body
    view = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": state.arn("cluster", service.cluster),
        "loadBalancers": body.get("loadBalancers", []),
        "serviceRegistries": [],
        "status": service.status,
        "desiredCount": service.desired,
        "launchType": body.get("launchType", "FARGATE"),
        "platformVersion": "LATEST",
        "deploymentConfiguration": service.configuration,
        "deploymentController": {"type": service.controller},
        "createdAt": service.created_at,
        "healthCheckGracePeriodSeconds": body.get("healthCheckGracePeriodSeconds", 0),
        "schedulingStrategy": body.get("schedulingStrategy", "REPLICA"),
        "enableECSManagedTags": False,
        "propagateTags": "NONE",
        "enableExecuteCommand": False,
        "placementConstraints": [],
        "placementStrategy": [],
        "events": service.events,
        **counts(state.tasks_of(service)),
    }
    if "capacityProviderStrategy" in body:  # instead of a launch type, never beside it
        del view["launchType"]
        view["capacityProviderStrategy"] = body["capacityProviderStrategy"]
    view["deployments"], view["taskSets"] = [], []
    if service.controller == "ECS":
        view["taskDefinition"] = service.definition.arn
        view["deployments"] = [rollout_view(state, service, rollout) for rollout in service.deployments]
    elif service.controller == "CODE_DEPLOY":
        # CodeDeploy and external controllers work with task sets; deployments[] stays empty:
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
        view["taskDefinition"] = service.definition.arn
        view["taskSets"] = [{"id": "ecs-svc/1", "status": "PRIMARY", "taskDefinition": service.definition.arn}]
    if "networkConfiguration" in body:
        view["networkConfiguration"] = body["networkConfiguration"]
    if tags:
        view["tags"] = state.tags.get(service.arn, [])
    return view


def task_view(state: EcsState, task: Task, tags: bool) -> Json:
    interface = f"eni-{task.id[:17]}"
    attached = task.last_status not in ("PROVISIONING", "STOPPED")
    containers = []
    for container in task.containers:
        view: Json = {
            "containerArn": state.arn("container", f"{task.cluster}/{task.id}/{container.name}"),
            "taskArn": task.arn,
            "name": container.name,
            "image": container.image,
            "lastStatus": container.status,
            "networkInterfaces": [{"attachmentId": interface, "privateIpv4Address": task.ip}],
            "healthStatus": container.health,
        }
        if container.status != "PENDING" and "pullStoppedAt" in task.times:
            view["imageDigest"] = container.digest
            view["runtimeId"] = f"{task.id}-{container.name}"
        if container.exit_code is not None:
            view["exitCode"] = container.exit_code
        if container.reason is not None:
            view["reason"] = container.reason
        containers.append(view)
    details = [
        {"name": "subnetId", "value": "subnet-0a1b2c3d"},
        {"name": "networkInterfaceId", "value": interface},
        {"name": "privateIPv4Address", "value": task.ip},
    ]
    status = "ATTACHED" if attached else "PRECREATED" if task.last_status == "PROVISIONING" else "DELETED"
    found: Json = {
        "taskArn": task.arn,
        "clusterArn": state.arn("cluster", task.cluster),
        "taskDefinitionArn": task.definition.arn,
        "attachments": [{"id": interface, "type": "ElasticNetworkInterface", "status": status, "details": details}],
        "availabilityZone": f"{state.region}a",
        "connectivity": "CONNECTED",
        "containers": containers,
        "cpu": str(task.definition.body.get("cpu", "256")),
        "memory": str(task.definition.body.get("memory", "512")),
        "createdAt": task.created_at,
        "desiredStatus": task.desired_status,
        "group": task.group,
        "healthStatus": task.health_status,
        "lastStatus": task.last_status,
        "launchType": "FARGATE",
        "overrides": {"containerOverrides": [], **task.overrides},
        "platformVersion": "1.4.0",
        "startedBy": task.started_by,
        "stopCode": task.stop_code,
        "stoppedReason": task.stopped_reason,
        "tags": task.tags if tags else [],
        "version": 1,
        **task.times,
    }
    return {key: value for key, value in found.items() if value is not None}


def record_view(service: Service, record: Json, state: EcsState) -> Json:
    """A service deployment (API_ServiceDeployment), from the scheduler's own record of it."""
    tasks = state.tasks_of(service)

    weights = {r.revision_arn: service.weights.get(r.id, 0.0) for r in service.deployments} if service.weights else {}

    def revision(arn: str) -> Json:
        mine = [t for t in tasks if t.deployment is not None and t.deployment.revision_arn == arn]
        found = counts(mine)
        return {
            "arn": arn,
            "requestedTaskCount": service.desired,
            "runningTaskCount": found["runningCount"],
            "pendingTaskCount": found["pendingCount"],
            **({"requestedProductionTrafficWeight": weights[arn]} if arn in weights else {}),
        }

    view = {key: value for key, value in record.items() if key not in ("sources", "target")}
    view["sourceServiceRevisions"] = [revision(arn) for arn in record["sources"]]
    view["targetServiceRevision"] = revision(record["target"])
    view["deploymentConfiguration"] = service.configuration
    return view


def record_brief(record: Json) -> Json:
    keep = ("serviceDeploymentArn", "serviceArn", "clusterArn", "startedAt", "createdAt", "finishedAt")
    view = {key: record[key] for key in (*keep, "status", "statusReason") if key in record}
    view["targetServiceRevisionArn"] = record["target"]
    return view
