"""The ledger as a run sees it: the newest releases, and the entry of its own that it will write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws
from deploykit.edges.world import World
from deploykit.ledger.journal import author, timestamp
from deploykit.ledger.read import warn_of_broken
from deploykit.ledger.store import Store, open_store, release_id
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, Outcome, Verdict

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
    plan: Plan, command: str, world: World, reason: str | None = None, commit: Commit | None = None
) -> LedgerEntry:
    """The run's own entry, as far as it is known before anything is done.

    ``commit``: the one released, where the run has it before it; a work tree on top of one has no time of its own.
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
        services=plan.released(),
        target=plan.target,
    )


def unfinished(entries: Sequence[LedgerEntry], sha: str, tags: Mapping[str, str | None]) -> LedgerEntry | None:
    """The entry that the next deploy of ``sha`` goes on with: the newest release, not judged yet.

    ``tags``: the release that each live definition is tagged with.  An entry that nothing runs of any more (it was
    killed before its first rollout) is left behind, unless it had begun a migration: the baseline in it is older than
    what that may have changed.
    """
    releases = [entry for entry in entries if entry.kind in ("deploy", "rollback") or _rolled_out(entry)]
    newest = releases[0] if releases else None
    if newest is None or newest.kind == "rollback" or newest.sha != sha or withdrawn(newest):
        return None
    judged = newest.verdict is not None and newest.verdict.final
    migrating = any(record.release == newest.id for record in newest.migrations.values())
    cut_off = migrating and newest.kind == "deploy" and newest.outcome in (None, Outcome.INTERRUPTED)
    return newest if not judged and (cut_off or newest.id in tags.values()) else None


def _rolled_out(entry: LedgerEntry) -> bool:
    """True for the step `rollout` by itself, which brings a commit to run and judges nothing."""
    return entry.kind == "step" and any(service.changed for service in entry.services.values())


def withdrawn(entry: LedgerEntry) -> bool:
    """True where a rollback withdrew the release; tags tell it as a verdict, without by which."""
    return bool(entry.withdrawn_by) or entry.verdict is Verdict.WITHDRAWN
