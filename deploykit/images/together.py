"""Several pieces of work at once, each with children of its own; the first failure ends the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from deploykit.edges.process import Children, Stopped

T = TypeVar("T")


def together(work: Mapping[str, Callable[[], T]], children: Children) -> dict[str, T]:
    """Run every piece in a thread of its own → their results, in the order of ``work``.

    When one raises, or Ctrl-C comes, ``children`` are stopped: nothing can be released any more, and who waits for two
    builds should not wait for the second to hear of the first. Raises: what the first one raised.
    """
    if not work:
        return {}
    with ThreadPoolExecutor(len(work)) as threads:
        futures = {key: threads.submit(piece) for key, piece in work.items()}
        try:
            wait(futures.values(), return_when=FIRST_EXCEPTION)
            failed = [f for f in futures.values() if f.done() and f.exception() is not None]
        except BaseException:
            children.stop()
            raise
        if failed:
            children.stop()
    errors = [error for future in futures.values() if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
    return {key: future.result() for key, future in futures.items()}
