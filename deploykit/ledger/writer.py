"""Change an entry that other runs may be changing too."""

from __future__ import annotations

from collections.abc import Callable

import tenacity

from deploykit.edges.clock import Clock, SystemClock
from deploykit.edges.objects import Changed
from deploykit.ledger.store import Store, Stored
from deploykit.model.ledger import LedgerEntry

_ATTEMPTS = 8


def update(
    store: Store,
    identifier: str,
    change: Callable[[LedgerEntry], LedgerEntry],
    clock: Clock | None = None,
) -> Stored:
    """Read the entry, ``change`` it and write it back; again, on what then stands there, where another run was faster.

    ``change`` may be called several times. Nothing is written where it changes nothing.
    Raises: Missing, BrokenRecord; Changed after eight attempts; NotAllowed, AwsUnreachable.
    """

    def once() -> Stored:
        stored = store.read(identifier)
        changed = change(stored.entry)
        return stored if changed == stored.entry else store.replace(changed, stored.version)

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Changed),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2.0),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        sleep=(clock or SystemClock()).sleep,
        reraise=True,
    )
    return attempts(once)
