"""What the reading commands tell: what runs where, and the releases so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploykit.model.lock import HoldStatus, LeaseStatus
from deploykit.model.release import Outcome, Verdict
from deploykit.model.report import WayBack
from deploykit.model.stats import DeliveryStats


@dataclass(frozen=True)
class ReleaseStatus:
    """The release whose revisions run; everything None where what runs is no release as a whole."""

    id: str | None = None
    sha: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class ServiceStatus:
    """One service as ECS runs it; everything None where it does not exist."""

    sha: str | None = None
    image: str | None = None
    digest: str | None = None
    task_definition: str | None = None
    desired: int | None = None
    running: int | None = None
    rollout: str | None = None  # completed, in_progress, failed
    since: datetime | None = None
    by: str | None = None


@dataclass(frozen=True)
class Drift:
    """Something that runs otherwise than it was last released; None on the side that does not have it."""

    service: str
    path: str  # task_definition (its ARN), and each field of it: containerDefinitions.web.environment.MODE
    released: Any
    running: Any


@dataclass(frozen=True)
class Unfinished:
    """A run that has not reached its end: it is under way, or was cut off and is continued by the same command."""

    id: str
    command: str
    doing: str  # deploy, undo, rollback, rollout
    sha: str | None
    by: str
    started: str
    under_way: bool  # it holds the deploy lock, and was heard of


@dataclass(frozen=True)
class StatusReport:
    """The answer of ``deploykit status``."""

    release: ReleaseStatus = ReleaseStatus()
    services: Mapping[str, ServiceStatus] = field(default_factory=dict)
    lease: LeaseStatus | None = None
    hold: HoldStatus | None = None
    unfinished: Unfinished | None = None
    drift: tuple[Drift, ...] = ()
    way_back: WayBack | None = None


@dataclass(frozen=True)
class HistoryItem:
    """One release, rollback or single step."""

    id: str
    kind: str
    sha: str | None
    verdict: Verdict | None
    outcome: Outcome | None
    started: str | None
    seconds: float | None
    by: str | None
    reason: str | None
    withdrawn: str | None = None  # the id of the rollback that left it
    lock_seconds: float | None = None  # waited for the deploy lock, before ``seconds``
    aws_seconds: float | None = None  # of ``seconds``: what ECS and CloudFront took
    own_seconds: float | None = None  # the rest of ``seconds``
    allowed: tuple[str, ...] = ()
    taken_from: str | None = None


@dataclass(frozen=True)
class HistoryReport:
    """The answer of ``deploykit history``, newest first."""

    releases: tuple[HistoryItem, ...] = ()
    stats: DeliveryStats | None = None  # only where they were asked for
