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
    """One service: where its image comes from, why, what of its task definition would change, and what is done to it.

    ``tags``: what the image is pushed as (the first, where it is built), and the names that it gets besides.
    """

    action: Literal["build", "reuse", "keep"]
    image: str | None
    why: str
    diff: tuple[PlannedField, ...] = ()
    repository: str | None = None
    tags: tuple[str, ...] = ()
    cluster: str | None = None
    service: str | None = None  # in ECS; None: an image without a service
    task_definition: str | None = None  # what it runs now
    registers: str | None = None  # the family that gets a new revision; None: it goes to one that exists, or stays
    rolls_out: bool = False


@dataclass(frozen=True)
class PlannedTask:
    """One service's migration: the command, and whether and why it is to run.

    ``starts``: a task of its own is started; False too where one that an earlier run began continues or has done it.
    """

    service: str
    action: Literal["run", "skip"]
    reason: str
    command: tuple[str, ...] = ()
    starts: bool = False


@dataclass(frozen=True)
class PlanReport:
    """The whole plan."""

    outcome: Literal["changes", "unchanged"]
    sha: str | None
    services: Mapping[str, PlannedService]
    migrations: tuple[PlannedTask, ...] = ()  # in the order in which they run
    invalidations: tuple[CdnInvalidation, ...] = ()
    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    way_back: WayBack | None = None
    order: tuple[str, ...] = field(default_factory=tuple)  # what is rolled out, first to last
    continues: str | None = None  # the release that was killed or not judged, and that this continues
