"""Named objects that several runs share. Every write names the version it expects, so no run overwrites another's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from deploykit.errors import FailedBefore


@dataclass(frozen=True)
class StoredObject:
    """An object as it was read; ``version`` is what the next conditional write must name."""

    body: bytes
    version: str


@dataclass(frozen=True)
class AgedObject:
    """An object with the moment of its last write and its age in seconds, both by the store's own clock."""

    body: bytes
    version: str
    written: datetime
    age: float


class AlreadyExists(FailedBefore):
    """An object with this name already exists."""


class Conflict(FailedBefore):
    """Another run wrote or deleted the object after it was read: read it again."""


class NotFound(FailedBefore):
    """No object has this name."""


class Objects(Protocol):
    """A prefix of a bucket, or a folder. Names are relative, with ``/`` between their parts.

    Two runs must never write the same body (each writes its id): a conditional write whose response was lost is
    recognized by its body.

    Every method raises OutOfReach where the place cannot be reached (for a bucket: NotAllowed, Throttled,
    AwsUnreachable), and FailedBefore where the bucket does not exist.
    """

    @property
    def place(self) -> str:
        """Where the objects are, for people: ``s3://bucket/prefix`` or a folder's path."""

    def names(self, under: str) -> list[str]:
        """Every name that begins with ``under``, sorted; empty where there is none."""

    def versions(self, under: str) -> dict[str, str]:
        """The version of every object whose name begins with ``under``, by name."""

    def read(self, name: str) -> StoredObject:
        """The object called ``name``. Raises: NotFound."""

    def read_aged(self, name: str) -> AgedObject:
        """The same with its age, to the second: no machine's clock matters. Raises: NotFound."""

    def create(self, name: str, body: bytes) -> str:
        """Write a new object; returns its version. Raises: AlreadyExists."""

    def replace(self, name: str, body: bytes, version: str) -> str:
        """Overwrite exactly ``version``; returns the new version. Raises: Conflict, NotFound."""

    def delete(self, name: str, version: str) -> None:
        """Delete exactly ``version``; an object that no longer exists is no error. Raises: Conflict."""
