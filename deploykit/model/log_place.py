"""Where a container's log lines go: read off its part of a task definition here only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LogPlace:
    """A log group of CloudWatch Logs and the streams in it that one container writes.

    ``streams`` is what their names begin with; empty where they are named by container ids, which say nothing (EC2
    without a prefix). ``made`` is true where the log driver makes the group itself.
    """

    group: str
    streams: str
    region: str
    made: bool = False

    def stream(self, task: str) -> str | None:
        """The stream of one task, by the task's id; None where its name cannot be told.

        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        """
        return f"{self.streams}{task}" if self.streams else None


def log_place(container: Mapping[str, Any] | None, region: str) -> LogPlace | None:
    """Where a container of a task definition writes; None where that is not CloudWatch Logs. Pure.

    ``region``: its tasks', which is where they log unless `awslogs-region` says otherwise.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
    """
    logging = (container or {}).get("logConfiguration") or {}
    options = logging.get("options") or {}
    if container is None or logging.get("logDriver") != "awslogs" or not options.get("awslogs-group"):
        return None
    prefix = options.get("awslogs-stream-prefix")
    return LogPlace(
        group=str(options["awslogs-group"]),
        streams=f"{prefix}/{container['name']}/" if prefix else "",
        region=str(options.get("awslogs-region") or region),
        made=options.get("awslogs-create-group") == "true",
    )
