"""RunTask is idempotent by its client token, StopTask reports the process's own exit code, no task starts twice.

Restores: the same token with the same parameters returns the first response, with others a ConflictException that
names the tasks; a stopped task drains its targets, then gets SIGTERM and, after stopTimeout seconds, SIGKILL; the exit
code is the process's; ListTasks takes no other filter beside ``startedBy``.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopTask.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.lookup import Refused, cluster_of, definition_to_run
from deploykit.sandbox.server.ecs.records import Record

REQUIRES = (
    ("services.ecs", "_list_tasks", "(data)"),
    ("services.ecs", "_resolve_task", "(ref, cluster_name='default')"),
)
MOST_STARTED = 10
STARTED_BY = re.compile(r"[A-Za-z0-9_/-]{0,128}")


def install(parts: Parts) -> None:
    answered: dict[tuple[str, str], tuple[str, list[Record]]] = {}

    def run(data: Record) -> Any:
        cluster, definition = cluster_of(data), definition_to_run(data)
        count = int(data.get("count") or 1)
        if count > MOST_STARTED:
            raise Refused("InvalidParameterException", "Count cannot be more than 10.")
        if not STARTED_BY.fullmatch(str(data.get("startedBy") or "")):
            message = "Invalid startedBy: up to 128 letters, numbers, hyphens and slashes."
            raise Refused("InvalidParameterException", message)
        token = str(data.get("clientToken") or "")
        request = json.dumps({k: v for k, v in data.items() if k != "clientToken"}, sort_keys=True)
        first, tasks = answered.get((cluster["clusterArn"], token), ("", []))
        if first and first != request:
            message, arns = "The client token was used with other parameters.", [t["taskArn"] for t in tasks]
            raise Refused("ConflictException", message, resourceIds=arns)
        if not first:
            tasks = [parts.tasks.launch(definition, cluster, data) for _ in range(count)]
        if token:
            answered[(cluster["clusterArn"], token)] = (request, tasks)
        return json_response({"tasks": [ecs._sanitize(t) for t in tasks], "failures": []})

    def stop(data: Record) -> Any:
        cluster = ecs._resolve_cluster_name(data.get("cluster") or "default")
        task = ecs._resolve_task(data.get("task") or "", cluster)
        if not task:
            raise Refused("InvalidParameterException", "The referenced task was not found.")
        parts.tasks.stop(task, data.get("reason") or "Task stopped by user", "UserInitiated")
        return json_response({"task": ecs._sanitize(task)})

    list_tasks = ecs._list_tasks

    def listed(data: Record) -> Any:
        if data.get("startedBy") and (data.get("family") or data.get("serviceName")):
            raise Refused("InvalidParameterException", "startedBy cannot be combined with other filters.")
        return list_tasks(data)

    ecs._ACTION_MAP.update(RunTask=run, StopTask=stop, ListTasks=listed)
