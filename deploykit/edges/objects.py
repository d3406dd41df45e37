"""Named pieces of bytes that several runs share, written only by whoever knows what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from deploykit.errors import FailedBefore


@dataclass(frozen=True)
class Kept:
    """What stands under a name; ``version`` is what the next conditional write must name."""

    body: bytes
    version: str


class Taken(FailedBefore):
    """Something stands under this name already."""


class Changed(FailedBefore):
    """Somebody else wrote (or removed) it since it was read: read it again."""


class Missing(FailedBefore):
    """Nothing stands under this name."""


class Objects(Protocol):
    """A bucket's prefix or a folder. Names are relative, with ``/`` between their parts.

    Bodies of different writers must differ (a run's id is in them): a conditional write whose answer was lost is
    recognised by what it left.
    """

    @property
    def place(self) -> str:
        """Where this is, for people: ``s3://bucket/prefix`` or a folder's path."""

    def names(self, under: str) -> list[str]:
        """Every name that begins with ``under``, sorted. Empty where there is none."""

    def read(self, name: str) -> Kept:
        """Raises: Missing."""

    def create(self, name: str, body: bytes) -> str:
        """Write what does not exist yet; returns its version. Raises: Taken."""

    def replace(self, name: str, body: bytes, version: str) -> str:
        """Write over exactly ``version``; returns the new one. Raises: Changed, Missing."""

    def delete(self, name: str, version: str) -> None:
        """Remove exactly ``version``. Raises: Changed; what is gone already is no error."""
