"""Independent calls side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def side_by_side(calls: Mapping[_Key, Callable[[], _Value]], at_most: int = 16) -> dict[_Key, _Value]:
    """The results of ``calls`` by key, in their order; the first exception (in that order) is raised once all ended."""
    if not calls:
        return {}
    with ThreadPoolExecutor(max_workers=min(at_most, len(calls))) as pool:
        futures = {key: pool.submit(call) for key, call in calls.items()}
    return {key: future.result() for key, future in futures.items()}
