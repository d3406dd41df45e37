"""A task definition is returned as it was registered: every field, no empty ones, tags only on request.

Restores: fields that MiniStack does not know are kept; fields that were not given are absent; describe-only fields are
present; tags appear only with ``include=TAGS``; CPU and memory that Fargate does not offer use up no revision number.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.lookup import Refused
from deploykit.sandbox.server.ecs.records import Record

REQUIRES = (
    ("services.ecs", "_register_task_definition", "(data)"),
    ("services.ecs", "_describe_task_definition", "(data)"),
)

#: Fargate's CPU units → the memory sizes it offers with them (MiB).
FARGATE = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}
ATTRIBUTES = ("com.amazonaws.ecs.capability.docker-remote-api.1.18", "ecs.capability.task-eni")


def install(_parts: Parts) -> None:
    register, describe = ecs._register_task_definition, ecs._describe_task_definition

    def registered(data: Record) -> Any:
        if problem := _fargate_problem(data):
            raise Refused("ClientException", problem)
        status, headers, body = register(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        key = f"{answer['taskDefinition']['family']}:{answer['taskDefinition']['revision']}"
        kept = ecs._task_defs[key]
        kept.update({k: v for k, v in data.items() if k not in kept and k != "tags"})
        for name in [k for k, v in kept.items() if v in ("", None)]:
            del kept[name]
        kept["requiresAttributes"] = [{"name": name} for name in ATTRIBUTES]
        for container in kept["containerDefinitions"]:
            for field in ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"):
                container.setdefault(field, [])
        return json_response({"taskDefinition": kept, **({"tags": data["tags"]} if data.get("tags") else {})})

    def described(data: Record) -> Any:
        status, headers, body = describe(data)
        if status != 200 or "TAGS" in (data.get("include") or []):
            return status, headers, body
        answer = json.loads(body)
        answer.pop("tags", None)
        return json_response(answer)

    ecs._ACTION_MAP.update(RegisterTaskDefinition=registered, DescribeTaskDefinition=described)


def _fargate_problem(data: Record) -> str:
    if "FARGATE" not in (data.get("requiresCompatibilities") or []):
        return ""
    cpu, memory = str(data.get("cpu") or ""), str(data.get("memory") or "")
    if not cpu or not memory:
        return "Fargate requires task definition to have cpu and memory set."
    if cpu.isdigit() and memory.isdigit() and int(memory) not in FARGATE.get(int(cpu), ()):
        return f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."
    return ""
