"""RunTask is idempotent by its client token, StopTask reports the process's own exit code, nothing is started twice.

Restores: the same token with the same parameters returns the first response, with others a ConflictException that
names the tasks; a stopped task drains its targets, gets SIGTERM, stopTimeout seconds and SIGKILL; the exit code is the
process's; ``startedBy`` is ListTasks' only filter.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.records import Record

REQUIRES = (
    ("services.ecs", "_ACTION_MAP", "dict"),
    ("services.ecs", "_list_tasks", "(data)"),
    ("services.ecs", "_resolve_task", "(ref, cluster_name='default')"),
)
MOST_STARTED = 10
STARTED_BY = re.compile(r"[A-Za-z0-9_/-]{0,128}")


def install(parts: Parts) -> None:
    answered: dict[tuple[str, str], tuple[str, list[Record]]] = {}

    def run(data: Record) -> Any:
        cluster = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster") or "default"))
        if not cluster:
            return error_response_json("ClusterNotFoundException", "Cluster not found.", 400)
        definition = ecs._task_defs.get(ecs._resolve_td_key(data.get("taskDefinition") or ""))
        if not definition:
            return error_response_json("ClientException", "TaskDefinition not found.", 400)
        if problem := _problem(data, definition):
            return error_response_json(problem[0], problem[1], 400)
        token = str(data.get("clientToken") or "")
        request = json.dumps({k: v for k, v in data.items() if k != "clientToken"}, sort_keys=True)
        if token and (before := answered.get((cluster["clusterArn"], token))):
            return _again(before, request)
        count = int(data.get("count") or 1)
        tasks = [parts.tasks.launch(definition, cluster, data) for _ in range(count)]
        if token:
            answered[(cluster["clusterArn"], token)] = (request, tasks)
        return json_response({"tasks": [ecs._sanitize(t) for t in tasks], "failures": []})

    def stop(data: Record) -> Any:
        cluster = ecs._resolve_cluster_name(data.get("cluster") or "default")
        task = ecs._resolve_task(data.get("task") or "", cluster)
        if not task:
            return error_response_json("InvalidParameterException", "The referenced task was not found.", 400)
        parts.tasks.stop(task, data.get("reason") or "Task stopped by user", "UserInitiated")
        return json_response({"task": ecs._sanitize(task)})

    list_tasks = ecs._list_tasks

    def listed(data: Record) -> Any:
        if data.get("startedBy") and (data.get("family") or data.get("serviceName")):
            return error_response_json(
                "InvalidParameterException", "startedBy cannot be combined with other filters.", 400
            )
        return list_tasks(data)

    ecs._ACTION_MAP.update(RunTask=run, StopTask=stop, ListTasks=listed)


def _problem(data: Record, definition: Record) -> tuple[str, str] | None:
    network = (data.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if definition["status"] != "ACTIVE":
        return "ClientException", "TaskDefinition is inactive"
    if definition.get("networkMode") == "awsvpc" and not network.get("subnets"):
        return (
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )
    if int(data.get("count") or 1) > MOST_STARTED:
        return "InvalidParameterException", "Count cannot be more than 10."
    if not STARTED_BY.fullmatch(str(data.get("startedBy") or "")):
        return "InvalidParameterException", "Invalid startedBy: up to 128 letters, numbers, hyphens and slashes."
    return None


def _again(before: tuple[str, list[Record]], request: str) -> Any:
    first, tasks = before
    if first == request:
        return json_response({"tasks": [ecs._sanitize(t) for t in tasks], "failures": []})
    status, headers, body = error_response_json(
        "ConflictException", "The client token was used with other parameters.", 400
    )
    return status, headers, json.dumps({**json.loads(body), "resourceIds": [t["taskArn"] for t in tasks]}).encode()
