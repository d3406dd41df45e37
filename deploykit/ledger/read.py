"""Read which releases there were: from the ledger, else from tags; only as many as the question needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.ledger.choose import Destination, NoDestination, choose
from deploykit.ledger.running import live_of, unfinished_rollback
from deploykit.ledger.store import Listing, Store, open_store, release_id
from deploykit.ledger.tags import AT_MOST, Until, tagged_releases
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.progress import Progress
from deploykit.model.release import Verdict

_READ = 30  # entries that a deploy reads: withdrawn and unfinished releases are among the newest
_NEWEST = 50  # entries: nearly every rollback finds its destination among them
_REVISIONS = 24  # of each family, where tags need to tell only what runs


@dataclass(frozen=True)
class Ledger:
    """The releases so far, newest first.

    ``store`` None: no ``state`` is configured, or it cannot be read; then the entries come from tags.
    """

    store: Store | None
    entries: tuple[LedgerEntry, ...]
    listing: Listing | None = None  # of all environments that share the store, as it was read

    def later(self, configuration: Configuration) -> Ledger:
        """The same as it is by now; itself where nothing was written since. Raises what the store raises."""
        if self.store is None or self.listing is None:
            return self
        listing = self.store.later(self.listing, _READ)
        return self if listing is self.listing else Ledger(self.store, ours(listing.entries, configuration), listing)

    def new_id(self, now: datetime, sha: str) -> str:
        """The id of a release that begins now; it sorts after every other, even if this machine's clock is slow."""
        return release_id(now, sha, after=self.entries[0].id if self.entries else None)


def read_ledger(configuration: Configuration, aws: Aws, progress: Progress) -> Ledger:
    """The newest entries, for a run that changes something.

    Raises what the store raises: nothing may change while the ledger cannot be read.
    """
    store = open_store(configuration.state, aws, configuration.root)
    if store is None:
        return Ledger(None, ())
    listing = store.newest(_READ)
    warn_of_broken(listing, progress)
    return Ledger(store, ours(listing.entries, configuration), listing)


def ours(entries: Iterable[LedgerEntry], configuration: Configuration) -> tuple[LedgerEntry, ...]:
    """The entries of this environment; environments may share one state."""
    return tuple(entry for entry in entries if entry.environment in ("", configuration.environment))


def read_releases(
    configuration: Configuration,
    aws: Aws,
    look: Callable[[], Mapping[str, ObservedService]],
    progress: Progress,
    limit: int | None = _NEWEST,
) -> Ledger:
    """The newest ``limit`` entries of the ledger; or what tags tell, where it is empty or cannot be read (a warning).

    ``look`` says what runs; it is called only where tags are needed. Raises: OutOfReach where neither can be read.
    """
    ledger = _read(configuration, aws, progress, limit)
    if ledger.entries:
        return ledger
    at_most = AT_MOST if limit is None else max(_REVISIONS, limit)
    tagged = tagged_releases(aws, look(), configuration.environment, at_most=at_most)
    return replace(ledger, entries=tagged[:limit])


def find_destination(
    configuration: Configuration,
    aws: Aws,
    observed: Mapping[str, ObservedService],
    progress: Progress,
    to: str | None = None,
    services: Collection[str] = (),
    left: str | None = None,
) -> tuple[Destination, Ledger, LedgerEntry | None]:
    """Where a rollback goes: chosen from the ledger, or from tags alone where it cannot be read or is not configured.

    And the entry of the rollback that it continues, to the destination which that one had. ``left``: as
    `ledger.running.unfinished` takes it.

    The newest entries are read first; older ones, and then tags from before the first entry, only where those have no
    destination. Raises: FailedBefore with what could be named; OutOfReach where neither can be read.
    """
    live = live_of(observed)
    chosen = {key: service for key, service in observed.items() if not services or key in services}

    def pick(entries: Sequence[LedgerEntry]) -> Destination | NoDestination:
        return choose(entries, live, to, services)

    read_tags = partial(tagged_releases, aws, chosen, configuration.environment)
    ledger = _read(configuration, aws, progress, _NEWEST, to)
    begun = unfinished_rollback(ledger.entries, services, to, left)
    if begun is not None:
        to = begun.target
    entries = ledger.entries or read_tags(_reaching(pick))
    picked = pick(entries)
    if ledger.entries:
        if isinstance(picked, NoDestination):
            entries = _read(configuration, aws, progress, None).entries or entries
            picked = pick(entries)
        if isinstance(picked, NoDestination):
            oldest = entries[-1].id
            entries += tuple(entry for entry in read_tags() if entry.id < oldest)
            picked = pick(entries)
        if to is None:
            picked = choose_untagged(aws, entries, pick)
    if isinstance(picked, NoDestination):
        raise picked.refusal()
    return picked, replace(ledger, entries=entries), begun


def told_by_tags(
    configuration: Configuration, aws: Aws, observed: Mapping[str, ObservedService], progress: Progress
) -> tuple[LedgerEntry, ...]:
    """The releases back to the destination of a rollback; none, with a warning, where tags cannot be read."""
    live = live_of(observed)
    try:
        until = _reaching(lambda entries: choose(entries, live))
        return tagged_releases(aws, observed, configuration.environment, until, _REVISIONS)
    except (OutOfReach, FailedBefore) as trouble:
        progress.warn(f"earlier releases cannot be read from the tags of task definitions: {trouble.message}")
        return ()


def _reaching(pick: Callable[[Sequence[LedgerEntry]], Destination | NoDestination]) -> Until:
    """Read tags until ``pick`` finds its destination among them."""

    def until(entries: Sequence[LedgerEntry]) -> str | None:
        picked = pick(entries)
        return picked.release if isinstance(picked, Destination) else None

    return until


def _read(
    configuration: Configuration, aws: Aws, progress: Progress, limit: int | None, to: str | None = None
) -> Ledger:
    """The environment's newest entries, and those of commit ``to`` however old; none, with a warning, if unreadable."""
    store = open_store(configuration.state, aws, configuration.root)
    if store is None:
        return Ledger(None, ())
    try:
        listings = [store.newest(limit)]
        if to and limit is not None:
            listings.append(store.newest(sha=to.strip().lower()))
    except (OutOfReach, FailedBefore) as error:
        progress.warn(f"the ledger cannot be read ({error.message}); using the tags of task definitions alone")
        return Ledger(None, ())
    warn_of_broken(listings[0], progress)
    entries = {entry.id: entry for listing in listings for entry in listing.entries}
    return Ledger(store, tuple(sorted(ours(entries.values(), configuration), key=lambda e: e.id, reverse=True)))


def warn_of_broken(listing: Listing, progress: Progress) -> None:
    """Name the records that cannot be read."""
    for problem in listing.broken:
        progress.warn(problem.message)


def choose_untagged(
    aws: Aws, entries: Sequence[LedgerEntry], pick: Callable[[Sequence[LedgerEntry]], Destination | NoDestination]
) -> Destination | NoDestination:
    """What ``pick`` chooses of ``entries``, without releases whose revisions are tagged as withdrawn.

    A rollback that could not reach the ledger withdrew them by tag only.
    """
    while True:
        picked = pick(entries)
        if isinstance(picked, NoDestination):
            return picked
        definitions, _ = definitions_of(aws, picked.revisions)
        own = [definition for definition in definitions.values() if definition.release == picked.release]
        if not any(definition.verdict == Verdict.WITHDRAWN for definition in own):
            return picked
        left = picked.release
        entries = [replace(entry, withdrawn_by="a tag") if entry.id == left else entry for entry in entries]
