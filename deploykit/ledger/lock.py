"""The records beside the releases that keep runs apart: ``lease.json`` and ``hold.json``, read and written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import tenacity

from deploykit.edges.lease import LEASE, UNKNOWN, decode, encode, read_lease
from deploykit.edges.objects import AlreadyExists, Conflict, NotFound, Objects
from deploykit.edges.parallel import side_by_side
from deploykit.model.lock import Hold, Lock, SeenLease

HOLD = "hold.json"
_ATTEMPTS = 8  # at deleting a lease between two of its beats


def read_lock(objects: Objects) -> Lock:
    """Who holds the lease and whether the environment is frozen. Raises: what ``Objects`` raises."""
    calls: dict[str, Callable[[], SeenLease | Hold | None]] = {
        LEASE: partial(read_lease, objects),
        HOLD: partial(read_hold, objects),
    }
    found = side_by_side(calls)
    lease, hold = found[LEASE], found[HOLD]
    return Lock(lease if isinstance(lease, SeenLease) else None, hold if isinstance(hold, Hold) else None)


def read_hold(objects: Objects) -> Hold | None:
    """The freeze; None where there is none. Raises: what ``Objects`` raises."""
    try:
        found = objects.read(HOLD)
    except NotFound:
        return None
    return decode(Hold(UNKNOWN, f"{objects.place}/{HOLD} cannot be read", "an unknown time"), found.body)


def freeze(objects: Objects, hold: Hold) -> Hold | None:
    """Write ``hold``; the one that stands there already, if there is one. Raises: what ``Objects`` raises."""
    try:
        objects.create(HOLD, encode(hold))
    except AlreadyExists:
        return read_hold(objects) or freeze(objects, hold)
    return None


def take_away(objects: Objects, seen: SeenLease) -> bool:
    """Delete the lease that was ``seen``, whatever beats came since; False where another has it, or nobody.

    Raises: what ``Objects`` raises.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Conflict), stop=tenacity.stop_after_attempt(_ATTEMPTS), reraise=True
    )
    return bool(attempts(_take_away, objects, seen))


def _take_away(objects: Objects, seen: SeenLease) -> bool:
    now = read_lease(objects)
    if now is None or now.lease.id != seen.lease.id:
        return False
    objects.delete(LEASE, now.version)
    return True


def thaw(objects: Objects) -> Hold | None:
    """End the freeze; the hold that was taken away, None where there was none. Raises: what ``Objects`` raises."""
    hold = read_hold(objects)
    if hold is not None:
        objects.delete(HOLD, objects.read(HOLD).version)
    return hold
