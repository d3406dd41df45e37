"""Lists in the sizes that AWS's describing calls take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")


def portions(items: Sequence[_Item], size: int) -> Iterator[list[_Item]]:
    """``items`` in their order, at most ``size`` at a time."""
    return (list(items[start : start + size]) for start in range(0, len(items), size))
