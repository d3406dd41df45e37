"""CloudWatch Logs: what containers wrote.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from deploykit.edges.aws.session import Aws


@dataclass(frozen=True)
class LogLine:
    """One event of a log stream."""

    time: datetime
    stream: str
    text: str
    id: str = ""


def last_lines(aws: Aws, group: str, stream: str, count: int) -> list[LogLine]:
    """The newest ``count`` lines of a stream, oldest of them first.

    Raises: AwsRefused (ResourceNotFoundException) where group or stream does not exist (yet).
    """
    answer = aws.call(
        "logs", "GetLogEvents", logGroupName=group, logStreamName=stream, limit=count, startFromHead=False
    )
    return [_line(event["timestamp"], stream, event["message"]) for event in answer["events"]]


def lines_since(aws: Aws, group: str, since: datetime, prefix: str = "") -> Iterator[LogLine]:
    """Every line of a group from ``since`` on, of streams whose names begin with ``prefix``."""
    parameters: dict[str, object] = {"logGroupName": group, "startTime": int(since.timestamp() * 1000)}
    if prefix:
        parameters["logStreamNamePrefix"] = prefix
    for event in aws.pages("logs", "FilterLogEvents", "events", **parameters):
        yield _line(event["timestamp"], event.get("logStreamName", ""), event["message"], event.get("eventId", ""))


def _line(milliseconds: int, stream: str, text: str, identifier: str = "") -> LogLine:
    return LogLine(datetime.fromtimestamp(milliseconds / 1000, UTC), stream, text.rstrip("\n"), identifier)
