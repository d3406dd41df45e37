"""What runs otherwise than it was released last. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploykit.ledger.running import Revisions, last_effective, live_of, running_release
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.status import Drift


def drift(entries: Sequence[LedgerEntry], observed: Mapping[str, ObservedService]) -> tuple[Drift, ...]:
    """What runs otherwise than the newest of ``entries`` that took effect left it. Pure.

    A release under way, or interrupted, is no drift: what it has brought so far is tagged with its entry's id.
    """
    unfinished = {
        entry.id for entry in entries if entry.kind == "deploy" and not (entry.verdict and entry.verdict.final)
    }
    last = last_effective(entries)
    if last is None or running_release(entries, live_of(observed)).release is not None:
        return ()
    revisions = Revisions(entries)
    found: list[Drift] = []
    for key, service in observed.items():
        released = last.services.get(key)
        if released is None or revisions.same(released.task_definition, service.definition.arn):
            continue
        if service.definition.release in unfinished:
            continue
        found.append(Drift(key, "task_definition", released.task_definition, service.definition.arn))
        if released.image != service.image:
            found.append(Drift(key, f"containers.{service.container}.image", released.image, service.image))
    return tuple(found)
