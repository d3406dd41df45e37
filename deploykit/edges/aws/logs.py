"""CloudWatch Logs: what containers wrote.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploykit.edges.aws.session import Aws


@dataclass(frozen=True)
class LogLine:
    """One event of a log stream."""

    time: datetime
    stream: str
    text: str
    id: str = ""


def last_lines(aws: Aws, group: str, stream: str, count: int) -> list[LogLine]:
    """The newest ``count`` lines of a stream, the oldest first.

    Raises: AwsRefused (ResourceNotFoundException) where group or stream does not exist (yet).
    """
    answer = aws.call(
        "logs", "GetLogEvents", logGroupName=group, logStreamName=stream, limit=count, startFromHead=False
    )
    return [_line(event["timestamp"], stream, event["message"]) for event in answer["events"]]


def lines_from(aws: Aws, group: str, stream: str, token: str | None = None) -> tuple[list[LogLine], str]:
    """The lines of a stream that follow ``token`` (None: from its head), and the token for the next call.

    The same token again means the end of the stream; an empty page does not.
    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    Raises: AwsRefused (ResourceNotFoundException) where group or stream does not exist (yet).
    """
    asked: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
    answer = aws.call("logs", "GetLogEvents", retry=False, **asked | ({"nextToken": token} if token else {}))
    lines = [_line(event["timestamp"], stream, event["message"]) for event in answer["events"]]
    return lines, str(answer["nextForwardToken"])


def lines_since(aws: Aws, group: str, since: datetime, prefix: str = "") -> Iterator[LogLine]:
    """Every line of a group since ``since``, of streams whose names begin with ``prefix``."""
    asked: dict[str, Any] = {"logGroupName": group, "startTime": int(since.timestamp() * 1000)}
    asked |= {"logStreamNamePrefix": prefix} if prefix else {}
    for event in aws.pages("logs", "FilterLogEvents", "events", **asked):
        yield _line(event["timestamp"], event.get("logStreamName", ""), event["message"], event.get("eventId", ""))


def group_exists(aws: Aws, group: str) -> bool:
    """Whether the log group exists.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
    """
    answer = aws.call("logs", "DescribeLogGroups", logGroupNamePrefix=group, limit=50)
    return any(found["logGroupName"] == group for found in answer["logGroups"])


def _line(milliseconds: int, stream: str, text: str, identifier: str = "") -> LogLine:
    return LogLine(datetime.fromtimestamp(milliseconds / 1000, UTC), stream, text.rstrip("\n"), identifier)
