"""The delivery measures of an environment, as values: what each comes to, and what it was computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Window:
    """The time that is looked at. ``observed_seconds`` is the part of it since the ledger's first entry."""

    since: datetime
    until: datetime
    seconds: float
    days: float
    observed_seconds: float


@dataclass(frozen=True)
class NotCounted:
    """A run that is no deployment to production, and why."""

    release: str
    reason: str


@dataclass(frozen=True)
class Deployments:
    """The deployments to production in the window, by what became of them: the words add up to ``total``.

    ``failed`` were undone or not healthy by their own checks; ``withdrawn`` passed, and a rollback left them later.
    """

    total: int = 0
    healthy: int = 0
    unchecked: int = 0
    inconclusive: int = 0
    failed: int = 0
    withdrawn: int = 0
    not_counted: tuple[NotCounted, ...] = ()


@dataclass(frozen=True)
class Duration:
    """One measured time and the release it is of."""

    release: str
    seconds: float


@dataclass(frozen=True)
class DeploymentFrequency:
    """``per_day`` over the observed part of the window. ``reason``: why there is no value, or why it says little."""

    per_day: float | None = None
    deployments: int = 0
    median_seconds_between: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ChangeLeadTime:
    """From the commit to the end of the release that was healthy; known for ``known`` ``of`` the changes."""

    median_seconds: float | None = None
    known: int = 0
    of: int = 0
    durations: Sequence[Duration] = ()
    reason: str | None = None


@dataclass(frozen=True)
class ChangeFailRate:
    """``failed`` (withdrawn ones included) of ``deployments``; ``rate`` is a share from 0 to 1."""

    rate: float | None = None
    failed: int = 0
    deployments: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class FailedDeploymentRecoveryTime:
    """From a failure to the end of the run after which it was over; ``recovered`` of ``failed`` deployments."""

    median_seconds: float | None = None
    recovered: int = 0
    failed: int = 0
    durations: Sequence[Duration] = ()
    reason: str | None = None


@dataclass(frozen=True)
class DeliveryStats:
    """The four measures; https://dora.dev/guides/dora-metrics/ has the words."""

    window: Window
    deployments: Deployments = Deployments()
    deployment_frequency: DeploymentFrequency = DeploymentFrequency()
    change_lead_time: ChangeLeadTime = ChangeLeadTime()
    change_fail_rate: ChangeFailRate = ChangeFailRate()
    failed_deployment_recovery_time: FailedDeploymentRecoveryTime = FailedDeploymentRecoveryTime()
