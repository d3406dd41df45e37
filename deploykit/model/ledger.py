"""The ledger entry: what was released, by whom, and the evidence of its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deploykit.model.finding import Finding
from deploykit.model.migration import MigrationRecord
from deploykit.model.probe import EndpointResult, Samples
from deploykit.model.release import Outcome, ReleasedService, Verdict
from deploykit.model.report import StepReport


@dataclass(frozen=True)
class InvalidationRecord:
    """One CloudFront invalidation, recorded before it is created."""

    cdn: str
    distribution: str
    purpose: Literal["release", "undo", "stale", "step"]
    number: int
    reference: str  # CloudFront's CallerReference
    paths: tuple[str, ...]
    id: str | None = None  # CloudFront's, from its response


@dataclass(frozen=True)
class UndoRecord:
    """An undo, recorded before it begins, so that the next run continues it instead of trying the release again."""

    why: str  # the release failed, in one clause
    served: tuple[str, ...] = ()  # services whose new tasks may have answered requests, and so filled caches


@dataclass(frozen=True)
class LedgerEntry:
    """One run that changed the environment. ``extra`` keeps fields that a newer deploykit wrote."""

    id: str  # 20261121T062000Z-1a2b3c4: sorts by time
    kind: Literal["deploy", "rollback", "step"]
    command: str
    environment: str
    sha: str | None
    previous_sha: str | None
    started: str  # RFC 3339, UTC
    by: str
    committed: str | None = None  # when the commit was made, RFC 3339; of a clean commit only
    ended: str | None = None  # RFC 3339; not ``started`` plus ``seconds`` where a later run resumed this one
    host: str = ""
    run_url: str | None = None
    seconds: float | None = None  # that the run took, with what AWS took of it, without the wait for the lock
    lock_seconds: float | None = None  # that it waited for the deploy lock before
    aws_seconds: float | None = None  # of ``seconds``: in which ECS and CloudFront did what was asked of them
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    asked: tuple[str, ...] = ()  # the services that the command named; none: all
    allowed: tuple[str, ...] = ()  # what was insisted on: --allow-older, --take-over, --hold
    taken_from: str | None = None  # whose lock was taken over: who, where, what, since when
    services: Mapping[str, ReleasedService] = field(default_factory=dict)
    changing: tuple[str, ...] = ()  # the services that the run is about to change, before it does
    baseline: Mapping[str, Samples] | None = None
    checks: Mapping[str, EndpointResult] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    steps: tuple[StepReport, ...] = ()
    invalidations: tuple[InvalidationRecord, ...] = ()
    migrations: Mapping[str, MigrationRecord] = field(default_factory=dict)  # by service
    undo: UndoRecord | None = None
    target: str | None = None  # a rollback's: the id of the release it restores
    withdraws: tuple[str, ...] = ()  # a rollback's: the ids of the releases that it leaves
    withdrawn_by: str | None = None  # the id of the rollback that withdrew this release
    extra: Mapping[str, Any] = field(default_factory=dict)
