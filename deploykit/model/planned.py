"""What ``deploykit plan`` says: the same words that ``deploy`` would act on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deploykit.model.plan import CdnInvalidation
from deploykit.model.report import WayBack


@dataclass(frozen=True)
class PlannedField:
    """One field of a task definition that would change; secrets by name only."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class PlannedService:
    """One service: where its image comes from, why, and what of its task definition would change."""

    action: Literal["build", "reuse", "keep"]
    image: str | None
    why: str
    diff: tuple[PlannedField, ...] = ()


@dataclass(frozen=True)
class PlanReport:
    """The whole plan."""

    outcome: Literal["changes", "unchanged"]
    sha: str | None
    services: Mapping[str, PlannedService]
    migrations: tuple[Mapping[str, Any], ...] = ()
    invalidations: tuple[CdnInvalidation, ...] = ()
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    way_back: WayBack | None = None
    order: tuple[str, ...] = field(default_factory=tuple)  # what is rolled out, first to last
