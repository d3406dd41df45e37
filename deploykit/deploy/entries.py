"""The ledger as a run sees it: the newest releases, and the entry of its own that it will write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deploykit.config.schema import Configuration
from deploykit.deploy.orders import Edges
from deploykit.deploy.record import author, timestamp
from deploykit.deploy.returning.recorded import warn_of_broken
from deploykit.edges.aws.session import Aws
from deploykit.ledger.store import Store, open_store, release_id
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan
from deploykit.model.progress import Progress
from deploykit.model.release import Commit

_READ = 30  # releases back that a deploy looks at: withdrawn and unfinished ones are among the newest


@dataclass(frozen=True)
class Ledger:
    """``store`` None: no ``state`` is configured, and tags on task definitions are all there is."""

    store: Store | None
    entries: tuple[LedgerEntry, ...]  # newest first

    def new_id(self, now: datetime, sha: str) -> str:
        """The id of a release that begins now; it sorts behind every other whatever this machine's clock says."""
        return release_id(now, sha, after=self.entries[0].id if self.entries else None)


def read_ledger(configuration: Configuration, aws: Aws, progress: Progress) -> Ledger:
    """The newest entries. Raises what the store raises: nothing may change while the ledger cannot be read."""
    store = open_store(configuration.state, aws, configuration.root)
    if store is None:
        return Ledger(None, ())
    listing = store.newest(_READ)
    warn_of_broken(listing, progress)
    ours = (entry for entry in listing.entries if entry.environment in ("", configuration.environment))
    return Ledger(store, tuple(ours))


def new_entry(
    plan: Plan, command: str, edges: Edges, reason: str | None = None, commit: Commit | None = None
) -> LedgerEntry:
    """The run's own entry, as far as it is known before anything is done.

    ``commit``: the one released, where the run has it before it; a work tree on top of one has no time of its own.
    """
    by, host, run_url = author(edges.environ)
    return LedgerEntry(
        id=plan.release,
        kind=plan.kind,
        command=command,
        environment=plan.environment,
        sha=plan.sha,
        previous_sha=plan.previous_sha,
        started=timestamp(edges.clock.now()),
        by=by,
        committed=commit.time or None if commit and not commit.dirty else None,
        host=host,
        run_url=run_url,
        reason=reason,
        services=plan.released(),
        target=plan.target,
    )
