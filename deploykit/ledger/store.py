"""Where ledger entries are kept: a bucket or a folder, one record each under ``releases/``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from deploykit.edges.aws.s3 import S3Objects
from deploykit.edges.aws.session import Aws
from deploykit.edges.folder import FolderObjects
from deploykit.edges.objects import Objects
from deploykit.edges.parallel import side_by_side
from deploykit.errors import Problem
from deploykit.ledger.codec import BrokenRecord, decode, encode
from deploykit.model.ledger import LedgerEntry

_FOLDER = "releases/"
_SUFFIX = ".json"
_STAMP = "%Y%m%dT%H%M%SZ"
_SHORT = 7  # digits of the commit in a release's id
_AT_ONCE = 24  # reads side by side: below the connections that one client keeps


@dataclass(frozen=True)
class Stored:
    """An entry as it was read or written; ``version`` is what replacing it must name."""

    entry: LedgerEntry
    version: str


@dataclass(frozen=True)
class Listing:
    """The newest entries first, and the records that cannot be read."""

    stored: tuple[Stored, ...]
    broken: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[Stored]:
        return iter(self.stored)

    @property
    def entries(self) -> tuple[LedgerEntry, ...]:
        return tuple(stored.entry for stored in self.stored)


class Store:
    """The release records in one place."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    @property
    def place(self) -> str:
        """For people: ``s3://bucket/prefix`` or a folder."""
        return self.objects.place

    def create(self, entry: LedgerEntry) -> Stored:
        """Write a new entry. Raises: Taken where its id is in use; NotAllowed, AwsUnreachable, FailedBefore."""
        return Stored(entry, self.objects.create(_name(entry.id), encode(entry)))

    def replace(self, entry: LedgerEntry, version: str) -> Stored:
        """Write over the ``version`` that was read. Raises: Changed where another run wrote since; Missing."""
        return Stored(entry, self.objects.replace(_name(entry.id), encode(entry), version))

    def read(self, identifier: str) -> Stored:
        """One entry by its release id. Raises: Missing, BrokenRecord."""
        kept = self.objects.read(_name(identifier))
        return Stored(decode(kept.body, identifier, f"{self.place}/{_name(identifier)}"), kept.version)

    def ids(self) -> list[str]:
        """Every release id, newest first."""
        found = self.objects.names(_FOLDER)
        ids = [name[len(_FOLDER) : -len(_SUFFIX)] for name in found if name.endswith(_SUFFIX)]
        return sorted((identifier for identifier in ids if "/" not in identifier), reverse=True)

    def newest(self, limit: int | None = None, sha: str | None = None) -> Listing:
        """The newest ``limit`` entries (None: all); ``sha``: only those whose id names a commit that begins so.

        Records are read side by side; a broken one is reported in its place and hides no other.
        """
        ids = [identifier for identifier in self.ids() if sha is None or _names_commit(identifier, sha)]
        found = side_by_side({identifier: partial(self._read, identifier) for identifier in ids[:limit]}, _AT_ONCE)
        return Listing(
            tuple(item for item in found.values() if isinstance(item, Stored)),
            tuple(Problem(item.message, file=item.name) for item in found.values() if isinstance(item, BrokenRecord)),
        )

    def _read(self, identifier: str) -> Stored | BrokenRecord:
        try:
            return self.read(identifier)
        except BrokenRecord as broken:
            return broken


def open_store(state: str | None, aws: Aws, root: Path) -> Store | None:
    """The store that ``state`` of the configuration names; None without one. Nothing is read or made yet.

    ``root`` is the configuration file's folder, to which a folder is relative.
    """
    if not state:
        return None
    if state.startswith("s3://"):
        bucket, _, prefix = state.removeprefix("s3://").partition("/")
        return Store(S3Objects(aws, bucket, prefix))
    return Store(FolderObjects(root / Path(state).expanduser()))


def release_id(now: datetime, sha: str, after: str | None = None) -> str:
    """A new release's id: ``20261121T062000Z-1a2b3c4``.

    ``after``: the newest id there is. The new one sorts behind it whatever this machine's clock says, and is another
    one also within the same second.
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
    """When a release began, by its id: RFC 3339; empty where the id does not say."""
    moment = _moment(identifier)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _names_commit(identifier: str, sha: str) -> bool:
    short = identifier.partition("-")[2]
    return bool(short) and (short.startswith(sha[:_SHORT]) or identifier == sha)


def _name(identifier: str) -> str:
    return f"{_FOLDER}{identifier}{_SUFFIX}"
