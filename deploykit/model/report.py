"""What a run reports: the same values for people, for --json and for the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deploykit.model.finding import Finding
from deploykit.model.probe import EndpointResult
from deploykit.model.release import Outcome, ReleasedService, ReleaseSummary, Verdict


@dataclass(frozen=True)
class StepReport:
    """One step of the runbook and how it ended."""

    name: str
    status: Literal["done", "skipped", "failed", "undone"]
    seconds: float


@dataclass(frozen=True)
class WayBack:
    """Is there a verified release to return to, and would it start? ``findings``: why not, or what was not seen."""

    ready: bool
    release: str | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Ending:
    """How a run ends."""

    outcome: Outcome
    code: int
    verdict: Verdict | None
    message: str
    hint: str = ""


@dataclass(frozen=True)
class RunReport:
    """How a deploy, a rollback or a single step went."""

    outcome: Outcome
    exit_code: int
    release: ReleaseSummary
    services: Mapping[str, ReleasedService] = field(default_factory=dict)
    checks: Mapping[str, EndpointResult] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    way_back: WayBack | None = None
    steps: tuple[StepReport, ...] = ()
    message: str = ""  # the last line for people
    hint: str = ""
