"""``deploykit history``: the releases, rollbacks and single steps, newest first; and the four measures of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.ledger.read import ours, read_releases, warn_of_broken
from deploykit.ledger.running import withdrawn
from deploykit.ledger.stats import began, delivery_stats, unknown_stats
from deploykit.ledger.store import Store, open_store, started_of
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import Outcome, Verdict
from deploykit.model.status import HistoryItem, HistoryReport
from deploykit.targets.ecs.observe import observe_existing

_UNKNOWN = "unknown"  # which rollback it was: tags of an earlier deploykit do not tell


def history(
    configuration: Configuration, world: World, limit: int | None = 20, since: float | None = None
) -> HistoryReport:
    """The newest ``limit`` runs (None: all) that changed the environment; from tags where there is no ledger.

    ``since``: only those that began in the last so many seconds. Records that cannot be read are warnings.
    Raises: OutOfReach where neither ledger nor tags can be read.
    """
    look = partial(observe_existing, configuration, world.aws, refusing=False)
    oldest = None if since is None else world.clock.now() - timedelta(seconds=since)
    reach = limit if oldest is None else _reach(configuration, world, oldest, limit)
    entries = read_releases(configuration, world.aws, look, world.progress, reach).entries
    return HistoryReport(_items(entry for entry in entries if oldest is None or _not_before(entry, oldest)))


def statistics(configuration: Configuration, world: World, since: float) -> HistoryReport:
    """The runs of the last ``since`` seconds and the four measures of them; without a ledger, only why there are none.

    Raises: OutOfReach, FailedBefore where the ledger cannot be read: tags do not know enough.
    """
    now = world.clock.now()
    oldest = now - timedelta(seconds=since)
    store = open_store(configuration.state, world.aws, configuration.root)
    if store is None:
        reason = f"no ledger is configured: `state` under [environments.{configuration.environment}]"
        return HistoryReport(stats=unknown_stats(oldest, now, reason))
    ids = store.ids()
    listing = store.newest(_began_since(ids, oldest))
    warn_of_broken(listing, world.progress)
    first = _moment_of(ids[-1]) if ids else None
    known = [entry for entry in ours(listing.entries, configuration) if _not_before(entry, oldest)]
    return HistoryReport(_items(known), delivery_stats(ours(listing.entries, configuration), oldest, now, first))


def _reach(configuration: Configuration, world: World, oldest: datetime, limit: int | None) -> int | None:
    """How many entries reach back to ``oldest``, so that no older one is read; ``limit`` where that cannot be told."""
    store: Store | None = open_store(configuration.state, world.aws, configuration.root)
    try:
        count = _began_since(store.ids(), oldest) if store else None
    except (OutOfReach, FailedBefore):
        return limit  # reading them says what is wrong with it
    return limit if not count else count if limit is None else min(count, limit)


def _began_since(ids: Iterable[str], oldest: datetime) -> int:
    """How many of ``ids`` (newest first) are not older; an id never tells an earlier time than its entry."""
    moments = [_moment_of(identifier) for identifier in ids]
    return sum(moment is None or moment >= oldest for moment in moments)


def _moment_of(identifier: str) -> datetime | None:
    stamp = started_of(identifier)
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).astimezone(UTC) if stamp else None


def _not_before(entry: LedgerEntry, oldest: datetime) -> bool:
    start = began(entry) or _moment_of(entry.id)
    return start is not None and start >= oldest


def _items(entries: Iterable[LedgerEntry]) -> tuple[HistoryItem, ...]:
    return tuple(_item(entry) for entry in entries if entry.outcome is not Outcome.REFUSED)


def _item(entry: LedgerEntry) -> HistoryItem:
    return HistoryItem(
        id=entry.id,
        kind=entry.kind,
        sha=entry.sha,
        verdict=None if entry.verdict is Verdict.WITHDRAWN else entry.verdict,  # the tag tells no more of it
        outcome=entry.outcome,
        started=entry.started or None,
        seconds=entry.seconds,
        by=entry.by or None,
        reason=entry.reason,
        withdrawn=entry.withdrawn_by or (_UNKNOWN if withdrawn(entry) else None),
        lock_seconds=entry.lock_seconds,
        aws_seconds=entry.aws_seconds,
        own_seconds=None if entry.seconds is None else round(entry.seconds - (entry.aws_seconds or 0.0), 3),
        allowed=entry.allowed,
        taken_from=entry.taken_from,
    )
