"""What a run accumulates: its ledger entry, the state of each service, and its steps. Everything else is frozen."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from deploykit.config.schema import Configuration
from deploykit.edges.clock import Clock, Deadline
from deploykit.edges.world import World
from deploykit.errors import DeploykitError
from deploykit.ledger.store import Store, StoredEntry, update
from deploykit.model.hint import Command, Hint
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, ReleasedService
from deploykit.model.report import StepReport


class Steps:
    """The steps a run took, timed."""

    def __init__(self, clock: Clock, progress: Progress) -> None:
        self.taken: list[StepReport] = []
        self._clock = clock
        self._progress = progress

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; it ``failed`` if it raises. ``mark`` can change that afterwards."""
        self._progress.step(name)
        began = self._clock.monotonic()
        status: Literal["done", "failed"] = "failed"
        try:
            yield
            status = "done"
        finally:
            self.taken.append(StepReport(name, status, round(self._clock.monotonic() - began, 3)))

    def skip(self, name: str) -> None:
        self.taken.append(StepReport(name, "skipped", 0.0))

    def mark(self, name: str, status: Literal["failed", "undone"]) -> None:
        """Correct how the last step called ``name`` ended."""
        for index, step in reversed(list(enumerate(self.taken))):
            if step.name == name:
                self.taken[index] = replace(step, status=status)
                return


class Journal:
    """The run's own ledger entry, opened before anything changes and closed whatever happens.

    ``store`` None: no ledger is configured, and only this process and tags have the facts. ``resumes``: an earlier run
    of the same release has written the entry already. ``world``: its clock must outlast the lease.

    ``tried``: every service as this release set it; ``running``: as it runs now; ``where``: the state of each service
    that changes, in words. ``touched``: something that runs was changed. ``continues``: what to type to continue.
    """

    def __init__(
        self, store: Store | None, entry: LedgerEntry, plan: Plan, world: World, continues: Hint, *, resumes: bool
    ) -> None:
        self.entry = entry
        # a run that continues another knows what ran before that one from the entry alone
        self.tried: dict[str, ReleasedService] = {**plan.released(), **entry.services}
        self.running: dict[str, ReleasedService] = plan.released()
        self.where: dict[str, str] = dict.fromkeys(plan.changes, "untouched")
        self.migrating: tuple[str, str] | None = None  # service and task of a migration under way
        self.touched = False
        self.continues = continues
        self._store = store
        self._clock = world.clock
        self._progress = world.progress
        self._began = world.clock.monotonic()
        self._aws_seconds = entry.aws_seconds or 0.0
        self._resumes = resumes
        self._open = False
        self._closed = False
        self._saved: LedgerEntry | None = None
        self._written: StoredEntry | None = None  # as the store has it

    def describe(self) -> str:
        """Which service runs what, in one line: for people whose run was interrupted."""
        parts = [f"{key} {words}" for key, words in self.where.items()]
        if self.migrating:
            key, task = self.migrating
            parts.insert(0, f"the migration of {key} continues by itself (task {task.rpartition('/')[2]})")
        if not parts:  # a run that only invalidates caches
            asked = [each for each in self.entry.invalidations if each.id]
            parts = [f"invalidation {each.id} of {each.distribution} continues by itself" for each in asked]
        return ", ".join(parts) or "nothing was changed"

    @property
    def migrated(self) -> bool:
        """True once a migration of this release succeeded, in this run or in the one that it continues."""
        records = self.entry.migrations.values()
        return any(record.release == self.entry.id and record.outcome == "succeeded" for record in records)

    def began(self, service: ReleasedService) -> None:
        """The rollout of a service began: something that runs was changed."""
        self.touched = True
        self.tried[service.service] = self.running[service.service] = service

    def restoring(self, service: ReleasedService) -> None:
        """An undo has set a service to the revision that it ran before."""
        self.running[service.service] = service

    def migration_started(self, service: str, task: str) -> None:
        """A migration runs in ``task`` (its ARN), whether or not this run continues."""
        self.migrating = (service, task)

    def migration_ended(self) -> None:
        self.migrating = None

    def undoing(self, continues: Hint) -> None:
        """From now on this run undoes its release; ``continues`` is what to type to continue that."""
        self.continues = continues

    def open(self) -> None:
        """Write the entry, which says what is about to be done: nothing may change before.

        Raises what the store raises.
        """
        if self._store is not None and self._resumes:
            self._written = update(self._store, self.entry.id, self._merged, self._clock)
        elif self._store is not None:
            self._written = self._store.create(self.entry)
        self._open = True

    def note(self, **facts: Any) -> None:
        """Set fields of the entry; ``save`` writes them."""
        self.entry = replace(self.entry, **facts)

    def save(self) -> None:
        """Write the entry. A ledger that cannot be written is a warning: the run itself must end."""
        if self._store is None or not self._open:
            return
        entry, known, self._written = self.entry, self._written, None  # whatever interrupts it, the next looks first
        try:
            self._written = update(self._store, entry.id, self._merged, self._clock, known)
        except DeploykitError as error:
            self._progress.warn(f"the ledger could not be written: {error.message}")
        self._saved = entry

    def _merged(self, stored: LedgerEntry) -> LedgerEntry:
        """This run's entry with what others write into it."""
        return replace(self.entry, extra={**stored.extra, **self.entry.extra}, withdrawn_by=stored.withdrawn_by)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time in here is what AWS takes to do what was asked of it."""
        began = self._clock.monotonic()
        try:
            yield
        finally:
            self._aws_seconds += self._clock.monotonic() - began

    @property
    def written(self) -> bool:
        """True where the run's end is noted and everything that is known was written, or there is no ledger."""
        return self._closed and (self._store is None or self._saved is self.entry)

    def change(self, release: str, how: Callable[[LedgerEntry], LedgerEntry]) -> None:
        """Change the entry of another release, which a rollback withdraws."""
        if self._store is None:
            return
        try:
            update(self._store, release, how, self._clock)
        except DeploykitError as error:
            self._progress.warn(f"ledger entry {release} could not be changed: {error.message}")

    def close(self, **facts: Any) -> None:
        """Set how the run ended; ``save`` writes it. Only the first call counts."""
        if not self._closed:
            self._closed = True
            seconds = round(self._clock.monotonic() - self._began, 3)
            aws_seconds, ended = round(self._aws_seconds, 3), timestamp(self._clock.now())
            self.note(services=self.tried, **facts, seconds=seconds, aws_seconds=aws_seconds, ended=ended)


@dataclass(frozen=True)
class Run:
    """What every phase of a run gets: what to do, the world it acts in, and where to record what it did."""

    plan: Plan
    configuration: Configuration
    world: World
    journal: Journal
    steps: Steps
    deadline: Deadline
    entries: tuple[LedgerEntry, ...]  # of the releases before it, newest first
    again: Command  # what to type to continue
    confirm: Callable[[], None] = lambda: None  # raises LeaseLost where another run has the lease

    @property
    def undoes(self) -> bool:
        """True where the run that this one continues had begun to undo the release."""
        return self.journal.entry.undo is not None


def new_entry(
    plan: Plan,
    command: str,
    world: World,
    reason: str | None = None,
    commit: Commit | None = None,
    asked: tuple[str, ...] = (),
) -> LedgerEntry:
    """The run's own entry, before anything is done.

    ``commit``: the one to release, where the run has a clone; uncommitted changes have no commit time. ``asked``: the
    services that were named.
    """
    by, host, run_url = author(world.environ)
    return LedgerEntry(
        id=plan.release,
        kind=plan.kind,
        command=command,
        environment=plan.environment,
        sha=plan.sha,
        previous_sha=plan.previous_sha,
        started=timestamp(world.clock.now()),
        by=by,
        committed=commit.time or None if commit and not commit.dirty else None,
        host=host,
        run_url=run_url,
        reason=reason,
        asked=asked,
        services=plan.released(),
        changing=tuple(plan.changes),
        target=plan.target,
        withdraws=plan.withdraws,
    )


def author(environ: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Who runs this, where, and the address of the workflow run.

    https://docs.github.com/actions/reference/workflows-and-actions/variables
    """
    if environ.get("GITHUB_ACTIONS") == "true":
        server, repository = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
        run = environ.get("GITHUB_RUN_ID", "")
        url = f"{server}/{repository}/actions/runs/{run}" if server and repository and run else None
        return environ.get("GITHUB_ACTOR", "github-actions"), "github-actions", url
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return user, socket.gethostname(), None


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
