"""Service deployments and service revisions: the history ECS keeps of every rollout.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
"""

from __future__ import annotations

import secrets
import time

from ministack.services import ecs

from deploykit.sandbox.server.ecs.records import Record, short
from deploykit.sandbox.settings import Settings

OPEN = ("PENDING", "IN_PROGRESS", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
KEPT = 100

#: The fields that ListServiceDeployments shows.
BRIEF = ("serviceDeploymentArn", "serviceArn", "clusterArn", "status", "statusReason")
TIMES = ("createdAt", "startedAt", "finishedAt")


class History:
    """The service deployments of one sandbox, newest first. Callers hold the tasks' lock."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._entries: list[Record] = []

    def begin(self, service: Record, deployment: Record) -> None:
        """Record a new deployment; one in progress ends as STOPPED."""
        for entry in self._open(service):
            self._end(entry, "STOPPED", f"Stopped by a newer deployment {deployment['id']}.")
        key = f"{short(service['clusterArn'])}/{service['serviceName']}"
        prefix = f"arn:aws:ecs:{self.settings.region}:{self.settings.account}"
        now = time.time()
        revision = f"{prefix}:service-revision/{key}/{secrets.randbelow(10**19):019d}"
        entry = {
            "serviceDeploymentArn": f"{prefix}:service-deployment/{key}/{secrets.token_urlsafe(16)}",
            "serviceArn": service["serviceArn"],
            "clusterArn": service["clusterArn"],
            "createdAt": now,
            "startedAt": now,
            "updatedAt": now,
            "status": "IN_PROGRESS",
            "statusReason": None,
            "deploymentConfiguration": service.get("deploymentConfiguration") or {},
            "_deployment": deployment["id"],
            "_revision": revision,
            "_source": (service.get("_completed") or {}).get("_revision"),
            "_definition": deployment["taskDefinition"],
            "_service": {k: service.get(k) for k in ("loadBalancers", "networkConfiguration", "launchType")},
        }
        self._entries = [entry, *self._entries][:KEPT]
        deployment["_revision"] = revision

    def completed(self, service: Record, deployment: str) -> None:
        """Record that a deployment completed: its own, or the one it was rolled back to."""
        for entry in self._open(service):
            if entry["status"] == "ROLLBACK_IN_PROGRESS":
                self._end(entry, "ROLLBACK_SUCCESSFUL", entry["statusReason"])
            elif entry["_deployment"] == deployment:
                self._end(entry, "SUCCESSFUL", None)

    def failed(self, service: Record, deployment: str) -> None:
        """Record that a deployment failed and is not rolled back."""
        for entry in self._open(service):
            if entry["_deployment"] == deployment:
                status = "STOPPED" if entry["status"] == "ROLLBACK_REQUESTED" else "FAILED"
                self._end(entry, status, entry["statusReason"])

    def rolling_back(self, service: Record, deployment: str, target: str) -> None:
        for entry in self._open(service):
            if entry["_deployment"] == deployment:
                back = next((e["_revision"] for e in self._entries if e["_deployment"] == target), None)
                reason, now = f"Rolling back to {target}.", time.time()
                entry.update(status="ROLLBACK_IN_PROGRESS", statusReason=reason, updatedAt=now)
                entry["rollback"] = {"startedAt": now, "serviceRevisionArn": back}

    def find(self, arn: str) -> Record | None:
        return next((e for e in self._entries if e["serviceDeploymentArn"] == arn), None)

    def listing(self, service: str, cluster: str, statuses: list[str]) -> list[Record]:
        """Brief records of one service (name or ARN), newest first, only those in ``statuses`` if any are given."""
        wanted = (short(service), short(cluster))
        found = [e for e in self._entries if (short(e["serviceArn"]), short(e["clusterArn"])) == wanted]
        return [_brief(e) for e in found if not statuses or e["status"] in statuses]

    def describe(self, entry: Record) -> Record:
        """The full record of one service deployment."""
        running = {d["id"]: d for s in list(ecs._services.values()) for d in s.get("deployments", [])}
        now = running.get(entry["_deployment"], {})
        shown = {"requested": "desired", "running": "running", "pending": "pending"}
        counts = {f"{name}TaskCount": now.get(f"{field}Count", 0) for name, field in shown.items()}
        failures = {"status": "DISABLED", "failureCount": now.get("failedTasks", 0), "threshold": 3}
        return {
            **ecs._sanitize(entry),
            "targetServiceRevision": {"arn": entry["_revision"], **counts},
            "sourceServiceRevisions": [{"arn": entry["_source"]}] if entry["_source"] else [],
            "deploymentCircuitBreaker": failures,
        }

    def revision(self, arn: str) -> Record | None:
        """The service revision with this ARN, as DescribeServiceRevisions shows it."""
        entry = next((e for e in self._entries if e["_revision"] == arn), None)
        if entry is None:
            return None
        return {
            "serviceRevisionArn": arn,
            **{k: entry[k] for k in ("serviceArn", "clusterArn", "createdAt")},
            "taskDefinition": entry["_definition"],
            **{k: v for k, v in entry["_service"].items() if v},
        }

    def _open(self, service: Record) -> list[Record]:
        return [e for e in self._entries if e["serviceArn"] == service["serviceArn"] and e["status"] in OPEN]

    def _end(self, entry: Record, status: str, reason: str | None) -> None:
        now = time.time()
        entry.update(status=status, statusReason=reason, updatedAt=now, finishedAt=now)


def _brief(entry: Record) -> Record:
    brief = {k: entry[k] for k in (*BRIEF, *TIMES) if entry.get(k) is not None}
    return {**brief, "targetServiceRevisionArn": entry["_revision"]}
