"""What a request to ECS names: its cluster, its service, a task definition. Each raises Refused when ECS has none."""

from __future__ import annotations

from typing import Any

from ministack.services import ecs

from deploykit.sandbox.server.ecs.records import Record, short


class Refused(Exception):
    """The error that AWS would return; ``more``: its fields besides code and message."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.code, self.more = code, more


def cluster_of(data: Record) -> Record:
    found: Record | None = ecs._clusters.get(ecs._resolve_cluster_name(data.get("cluster") or "default"))
    if not found:
        raise Refused("ClusterNotFoundException", "Cluster not found.")
    return found


def service_of(data: Record) -> Record:
    key = f"{cluster_of(data)['clusterName']}/{short(data.get('service') or '')}"
    found: Record | None = ecs._services.get(key)
    if not found:
        raise Refused("ServiceNotFoundException", "Service not found.")
    return found


def active_definition(reference: str) -> Record:
    found: Record | None = ecs._task_defs.get(ecs._resolve_td_key(reference))
    if not found:
        raise Refused("ClientException", "TaskDefinition not found.")
    if found["status"] != "ACTIVE":
        raise Refused("ClientException", "TaskDefinition is inactive")
    return found


def definition_to_run(data: Record) -> Record:
    """The ACTIVE task definition of RunTask or CreateService; an awsvpc one needs subnets."""
    found = active_definition(data.get("taskDefinition") or "")
    network = (data.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
    if found.get("networkMode") == "awsvpc" and not network.get("subnets"):
        message = "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        raise Refused("InvalidParameterException", message)
    return found
