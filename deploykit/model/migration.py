"""Migrations: the one-off task before a rollout, as it is planned and as the ledger remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MigrationOutcome = Literal["succeeded", "failed", "not_started", "stopped", "timed_out", "skipped"]
OUTCOMES: tuple[MigrationOutcome, ...] = ("succeeded", "failed", "not_started", "stopped", "timed_out", "skipped")


@dataclass(frozen=True)
class MigrationRecord:
    """One service's migration in a ledger entry, written down before it is asked for.

    ``outcome`` None: it is under way, or nobody saw how it ended. ``skipped`` repeats what an earlier release did, so
    that the newest entry always tells what this environment's database has seen.
    """

    release: str  # the id of the release whose migration it was
    tree: str  # what `paths` held in its commit
    image: str  # by digest
    outcome: MigrationOutcome | None = None
    attempt: int = 1
    task_definition: str | None = None
    task: str | None = None  # the ARN, once RunTask answered
    exit_code: int | None = None
    started: str = ""

    @property
    def good(self) -> bool:
        """True where the database is known to have seen ``tree``."""
        return self.outcome in ("succeeded", "skipped")

    @property
    def ran(self) -> bool:
        """True where this release's own migration may have touched the database."""
        return self.outcome not in ("skipped", "not_started")


@dataclass(frozen=True)
class PlannedMigration:
    """Whether a service's migration is to run, and why.

    ``known`` is the last good one; ``pending`` one of the same content whose end nobody has written down yet.
    """

    service: str
    action: Literal["run", "skip"]
    reason: str
    tree: str = ""
    known: MigrationRecord | None = None
    pending: MigrationRecord | None = None
