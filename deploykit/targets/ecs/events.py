"""ECS's service events as people read them: one line each. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_TARGET_GROUP = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]+:\d+:targetgroup/([\w-]+)/[0-9a-f]+")


def brief(event: str) -> str:
    """``event`` with target groups called by their names instead of their ARNs."""
    return _TARGET_GROUP.sub(r"\1", event)


def for_people(events: Iterable[str]) -> list[str]:
    """``events`` in brief; what ECS says for each target alike, once."""
    counts = Counter(map(brief, events))
    return [text if count == 1 else f"{text.rstrip('.')} ({count} times)" for text, count in counts.items()]
