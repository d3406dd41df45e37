"""Many calls: side by side, and lists in the sizes that AWS takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from deploykit.edges.process import Children, Stopped

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def side_by_side(calls: Mapping[_Key, Callable[[], _Value]], at_most: int = 16) -> dict[_Key, _Value]:
    """The results of ``calls`` by key, in their order. Raises: the first exception in that order, once all ended."""
    if not calls:
        return {}
    with ThreadPoolExecutor(max_workers=min(at_most, len(calls))) as pool:
        futures = {key: pool.submit(call) for key, call in calls.items()}
    return {key: future.result() for key, future in futures.items()}


def together(work: Mapping[_Key, Callable[[], _Value]], children: Children) -> dict[_Key, _Value]:
    """The results of ``work``, whose pieces run side by side, each with child processes among ``children``.

    When one raises, or Ctrl-C comes, ``children`` are stopped: nothing can be released any more, and nobody should wait
    for the second build to hear that the first failed. Raises: what the first one raised.
    """
    if not work:
        return {}
    with ThreadPoolExecutor(len(work)) as threads:
        futures = {key: threads.submit(piece) for key, piece in work.items()}
        try:
            done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
        except BaseException:
            children.stop()
            raise
        if any(future.exception() for future in done):
            children.stop()
    errors = [error for future in futures.values() if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
    return {key: future.result() for key, future in futures.items()}


def portions(items: Sequence[_Value], size: int) -> Iterator[list[_Value]]:
    """``items`` in their order, at most ``size`` at a time."""
    return (list(items[start : start + size]) for start in range(0, len(items), size))
