"""Service deployments and service revisions exist, and StopServiceDeployment rolls back.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
"""

from __future__ import annotations

from typing import Any

from ministack.core.responses import json_response
from ministack.services import ecs

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.ecs.lookup import Refused
from deploykit.sandbox.server.ecs.records import Record

REQUIRES = (("services.ecs", "_ACTION_MAP", "dict"),)
STOPPABLE = ("PENDING", "IN_PROGRESS")
STOPPING = ("STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


def install(parts: Parts) -> None:
    def listed(data: Record) -> Any:
        named = (data.get("service") or "", data.get("cluster") or "default")
        found = parts.history.listing(*named, list(data.get("status") or []))
        return json_response({"serviceDeployments": found})

    def described(data: Record) -> Any:
        found = {arn: parts.history.find(arn) for arn in data.get("serviceDeploymentArns") or []}
        return _answer("serviceDeployments", {arn: e and parts.history.describe(e) for arn, e in found.items()})

    def revisions(data: Record) -> Any:
        found = {arn: parts.history.revision(arn) for arn in data.get("serviceRevisionArns") or []}
        return _answer("serviceRevisions", found)

    ecs._ACTION_MAP.update(
        ListServiceDeployments=listed,
        DescribeServiceDeployments=described,
        DescribeServiceRevisions=revisions,
        StopServiceDeployment=lambda data: _stop(parts, data),
    )


def _answer(key: str, found: dict[str, Record | None]) -> Any:
    """The records that were found, under ``key``, and a failure for each ARN that was not."""
    failures = [{"arn": arn, "reason": "MISSING"} for arn, record in found.items() if not record]
    return json_response({key: [record for record in found.values() if record], "failures": failures})


def _stop(parts: Parts, data: Record) -> Any:
    entry = parts.history.find(data.get("serviceDeploymentArn") or "")
    if entry is None:
        raise Refused("ServiceDeploymentNotFoundException", "Service deployment not found.")
    if (data.get("stopType") or "ROLLBACK") != "ROLLBACK":
        raise Refused("InvalidParameterException", "The only valid stopType is ROLLBACK.")
    if entry["status"] in STOPPABLE:
        service = next(s for s in ecs._services.values() if s["serviceArn"] == entry["serviceArn"])
        primary = service["deployments"][0]
        if not service.get("_completed"):
            raise Refused("ConflictException", "There is no previous service revision to roll back to.")
        entry["status"] = "ROLLBACK_REQUESTED"
        parts.scheduler.fail(service, primary, "Service deployment rolled back: stopped by the user.", roll_back=True)
        parts.scheduler.wake()
    elif entry["status"] not in STOPPING:
        message = f"The service deployment is in the {entry['status']} state and cannot be stopped."
        raise Refused("ConflictException", message)
    return json_response({"serviceDeploymentArn": entry["serviceDeploymentArn"]})
