"""The ledger's store: a bucket or a folder with one record for each entry, under ``releases/``."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import tenacity

from deploykit.edges.aws.s3 import S3Objects
from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import Clock, SystemClock
from deploykit.edges.folder import FolderObjects
from deploykit.edges.objects import Conflict, NotFound, Objects
from deploykit.edges.parallel import side_by_side
from deploykit.errors import Problem
from deploykit.ledger.codec import BrokenRecord, decode, encode
from deploykit.model.ledger import LedgerEntry

_FOLDER = "releases/"
_SUFFIX = ".json"
_STAMP = "%Y%m%dT%H%M%SZ"
_SHORT = 7  # digits of the commit's SHA in a release's id
_AT_ONCE = 24  # reads side by side: fewer than the connections that one client keeps
_ATTEMPTS = 8  # at writing one entry that other runs write, too


@dataclass(frozen=True)
class StoredEntry:
    """An entry as it was read or written; ``version`` is what the next ``replace`` must name."""

    entry: LedgerEntry
    version: str


@dataclass(frozen=True)
class Listing:
    """Entries, newest first, and the records that cannot be read."""

    entries: tuple[LedgerEntry, ...]
    broken: tuple[Problem, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)  # of the entries, by id


class Store:
    """The records of one environment's releases."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    @property
    def place(self) -> str:
        """Where the records are, for people: ``s3://bucket/prefix`` or a folder's path."""
        return self.objects.place

    def create(self, entry: LedgerEntry) -> StoredEntry:
        """Write a new entry. Raises: AlreadyExists where its id is in use; what ``Objects`` raises."""
        return StoredEntry(entry, self.objects.create(_name(entry.id), encode(entry)))

    def replace(self, entry: LedgerEntry, version: str) -> StoredEntry:
        """Overwrite the ``version`` that was read. Raises: Conflict where another run wrote after that; NotFound."""
        return StoredEntry(entry, self.objects.replace(_name(entry.id), encode(entry), version))

    def read(self, identifier: str) -> StoredEntry:
        """The entry with this release id. Raises: NotFound, BrokenRecord; what ``Objects`` raises."""
        found = self.objects.read(_name(identifier))
        return StoredEntry(decode(found.body, identifier, f"{self.place}/{_name(identifier)}"), found.version)

    def ids(self) -> list[str]:
        """Every release id, newest first. Raises: what ``Objects`` raises."""
        found = self.objects.names(_FOLDER)
        return sorted((_id(name) for name in found if _is_entry(name)), reverse=True)

    def newest(self, limit: int | None = None, sha: str | None = None) -> Listing:
        """The newest ``limit`` entries (None: all); ``sha``: only those whose id names a commit that begins with it.

        Records are read side by side. A broken one does not hide the others, nor does one that somebody (a lifecycle
        rule) has just deleted.
        Raises: what ``Objects`` raises.
        """
        ids = [identifier for identifier in self.ids() if sha is None or _names_commit(identifier, sha)]
        found = side_by_side({identifier: partial(self._read, identifier) for identifier in ids[:limit]}, _AT_ONCE)
        return Listing(
            tuple(item.entry for item in found.values() if isinstance(item, StoredEntry)),
            tuple(Problem(item.message, file=item.name) for item in found.values() if isinstance(item, BrokenRecord)),
            {item.entry.id: item.version for item in found.values() if isinstance(item, StoredEntry)},
        )

    def later(self, listing: Listing, limit: int) -> Listing:
        """``listing``, read minutes ago, as it is by now: only what was written since is read again.

        Raises: what ``Objects`` raises.
        """
        versions = {_id(name): version for name, version in self.objects.versions(_FOLDER).items() if _is_entry(name)}
        ids = sorted(versions, reverse=True)[:limit]
        known = {entry.id: entry for entry in listing.entries if versions.get(entry.id) == listing.versions[entry.id]}
        broken = {Path(problem.file or "").stem for problem in listing.broken}
        new = [identifier for identifier in ids if identifier not in known and identifier not in broken]
        if not new and len(known) == len(listing.entries):
            return listing
        read = side_by_side({identifier: partial(self._read, identifier) for identifier in new}, _AT_ONCE)
        found = {item.entry.id: item for item in read.values() if isinstance(item, StoredEntry)}
        entries = known | {identifier: item.entry for identifier, item in found.items()}
        kept = {identifier: listing.versions[identifier] for identifier in known}
        return Listing(
            tuple(entries[identifier] for identifier in sorted(entries, reverse=True)),
            listing.broken,
            kept | {identifier: item.version for identifier, item in found.items()},
        )

    def _read(self, identifier: str) -> StoredEntry | BrokenRecord | None:
        try:
            return self.read(identifier)
        except NotFound:
            return None
        except BrokenRecord as broken:
            return broken


def update(
    store: Store,
    identifier: str,
    change: Callable[[LedgerEntry], LedgerEntry],
    clock: Clock | None = None,
    known: StoredEntry | None = None,
) -> StoredEntry:
    """Read an entry, ``change`` it and write it; start again where another run has written it meanwhile.

    ``known``: what this run wrote last, which need not be read unless another wrote since. ``change`` may be called
    several times. Where it changes nothing, nothing is written.
    Raises: NotFound, BrokenRecord; Conflict after eight attempts; what ``Objects`` raises.
    """
    if known is not None:
        with contextlib.suppress(Conflict, NotFound):
            changed = change(known.entry)
            return StoredEntry(changed, store.objects.replace(_name(identifier), encode(changed), known.version))
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Conflict),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2.0),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        sleep=(clock or SystemClock()).sleep,
        reraise=True,
    )
    for attempt in attempts:
        with attempt:
            stored = store.read(identifier)
            changed = change(stored.entry)
            if changed == stored.entry:
                return stored
            return StoredEntry(changed, store.objects.replace(_name(identifier), encode(changed), stored.version))
    raise AssertionError("tenacity raises the last error")  # its iterator never ends by itself


def open_store(state: str | None, aws: Aws, root: Path) -> Store | None:
    """The store that the configuration's ``state`` names; None where there is none. Reads and creates nothing.

    ``root``: the configuration file's folder; the path of a state folder is relative to it.
    """
    if not state:
        return None
    if state.startswith("s3://"):
        bucket, _, prefix = state.removeprefix("s3://").partition("/")
        return Store(S3Objects(aws, bucket, prefix))
    return Store(FolderObjects(root / Path(state).expanduser()))


def release_id(now: datetime, sha: str, after: str | None = None) -> str:
    """A new release's id: ``20261121T062000Z-1a2b3c4``.

    ``after``: the newest id so far. The new id sorts after it, even if this machine's clock is slow, or within the same
    second.
    """
    moment = now.astimezone(UTC)
    newest = _moment(after) if after else None
    if newest is not None and moment.replace(microsecond=0) <= newest:
        moment = newest + timedelta(seconds=1)
    return f"{moment.strftime(_STAMP)}-{sha[:_SHORT]}"


def _moment(identifier: str) -> datetime | None:
    stamp = re.match(r"\d{8}T\d{6}Z", identifier)
    return datetime.strptime(stamp[0], _STAMP).replace(tzinfo=UTC) if stamp else None


def started_of(identifier: str) -> str:
    """When a release began, read from its id: RFC 3339 in UTC; empty where the id has no time."""
    moment = _moment(identifier)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _names_commit(identifier: str, sha: str) -> bool:
    short = identifier.partition("-")[2]
    return bool(short) and (short.startswith(sha[:_SHORT]) or identifier == sha)


def _name(identifier: str) -> str:
    return f"{_FOLDER}{identifier}{_SUFFIX}"


def _id(name: str) -> str:
    return name[len(_FOLDER) : -len(_SUFFIX)]


def _is_entry(name: str) -> bool:
    return name.endswith(_SUFFIX) and "/" not in _id(name)
