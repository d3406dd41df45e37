"""What the conformance script works on, and the words for what it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

Json = dict[str, Any]
Seen = list[tuple[str, str]]


@dataclass(frozen=True)
class World:
    """What the script works on, prepared by whoever runs it.

    ``cluster``, ``bucket`` and ``distribution`` exist; ``repository`` is immutable and holds ``tag``. ``good`` and
    ``better`` are images whose containers run on; those of ``crashing`` exit with code 3 soon after their start.
    ``prefix`` makes every name new. ``definition``, ``container`` and ``service`` are added to what is registered
    and created. ``pass_time`` sleeps (or moves a virtual clock), in steps of ``step`` and at most ``patience``
    seconds for one wait.
    """

    cluster: str
    good: str
    better: str
    crashing: str
    repository: str
    tag: str
    bucket: str
    distribution: str
    pass_time: Callable[[float], None]
    prefix: str = "conformance"
    definition: Json = field(default_factory=dict)
    container: Json = field(default_factory=dict)
    service: Json = field(default_factory=dict)
    step: float = 0.5
    patience: float = 300.0


def word(call: Callable[[], object]) -> str:
    """``done``, or the error code that AWS answered with."""
    try:
        call()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return "done"
