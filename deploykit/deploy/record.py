"""The run's own ledger entry: opened before anything changes, closed whatever happens."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

from deploykit.edges.clock import Clock
from deploykit.errors import DeploykitError
from deploykit.ledger.store import Store, update
from deploykit.model.ledger import LedgerEntry
from deploykit.model.progress import Progress
from deploykit.model.report import StepReport


class Steps:
    """The steps a run took, timed."""

    def __init__(self, clock: Clock, progress: Progress) -> None:
        self.taken: list[StepReport] = []
        self.began = clock.monotonic()
        self._clock = clock
        self._progress = progress

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step; ``failed`` where it raises, ``mark`` changes the word afterwards."""
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
        """Say of the last step ``name`` how it really ended."""
        for index in range(len(self.taken) - 1, -1, -1):
            if self.taken[index].name == name:
                self.taken[index] = replace(self.taken[index], status=status)
                return


class Record:
    """Facts of a run as they become known.

    ``store`` None: no ledger is configured, and the facts live in this process and in tags only. ``resumes``: an
    earlier run of the same release wrote the entry already.
    """

    def __init__(
        self, store: Store | None, entry: LedgerEntry, clock: Clock, progress: Progress, *, resumes: bool = False
    ) -> None:
        self.entry = entry
        self._store = store
        self._clock = clock
        self._progress = progress
        self._began = clock.monotonic()
        self._open = resumes

    def open(self) -> None:
        """Write the entry; nothing may change before. Raises what the store raises."""
        if self._store is not None and not self._open:
            self._store.create(self.entry)
        self._open = True

    def note(self, **facts: Any) -> None:
        """Remember facts; ``save`` writes them."""
        self.entry = replace(self.entry, **facts)

    def save(self) -> None:
        """Write what is known. Once something that runs was touched, a ledger out of reach is a warning only."""
        if self._store is None or not self._open:
            return
        entry = self.entry
        try:
            update(self._store, entry.id, lambda stored: replace(entry, extra={**stored.extra, **entry.extra}))
        except DeploykitError as error:
            self._progress.warn(f"the ledger could not be written: {error.message}")

    def change(self, release: str, how: Callable[[LedgerEntry], LedgerEntry]) -> None:
        """Change another release's entry (a rollback withdraws what it leaves)."""
        if self._store is None:
            return
        try:
            update(self._store, release, how)
        except DeploykitError as error:
            self._progress.warn(f"ledger entry {release} could not be changed: {error.message}")

    def close(self, **facts: Any) -> None:
        """The end of the run."""
        seconds = round(self._clock.monotonic() - self._began, 3)
        self.note(**facts, seconds=seconds, ended=timestamp(self._clock.now()))
        self.save()


def author(environ: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Who runs this, where, and the address of the workflow run: (by, host, run_url).

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
