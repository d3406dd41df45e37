"""The writes to CloudFront: every invalidation is in the ledger before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from deploykit.edges.aws.cloudfront import Invalidation
from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import Deadline
from deploykit.ledger.journal import Record
from deploykit.model.ledger import InvalidationRecord
from deploykit.model.plan import CdnInvalidation
from deploykit.model.progress import Progress
from deploykit.targets.cdn.plan import invalidate, reference

Purpose = Literal["release", "undo", "stale", "step"]


def empty(
    invalidations: Sequence[CdnInvalidation],
    purpose: Purpose,
    record: Record,
    aws: Aws,
    deadline: Deadline,
    progress: Progress,
) -> None:
    """Empty the caches of ``invalidations`` for ``purpose``, and wait until CloudFront has.

    A purpose that occurs again in one release (a second stale edge) gets the next number; a run that continues a
    killed one takes up the records it finds, so that CloudFront answers with the invalidation it already has.
    Raises: AwsRefused, NotAllowed; FailedBefore past the deadline.
    """
    if not invalidations:
        return
    records = []
    for item in invalidations:
        records.append(_record(item, purpose, record))
        record.note(invalidations=_merged(record.entry.invalidations, records))
    record.save()

    def answered(asked: InvalidationRecord, invalidation: Invalidation) -> None:
        done = replace(asked, id=invalidation.id)
        record.note(invalidations=_merged(record.entry.invalidations, [done]))

    invalidate(aws, records, deadline, progress, answered)


def _record(item: CdnInvalidation, purpose: Purpose, record: Record) -> InvalidationRecord:
    same = [r for r in record.entry.invalidations if r.distribution == item.distribution and r.purpose == purpose]
    unanswered = next(
        (r for r in same if r.cdn == item.cdn and r.paths == item.paths and (purpose != "stale" or r.id is None)), None
    )
    if unanswered is not None:
        return unanswered
    number = 1 + max((r.number for r in same), default=0)
    key = reference(record.entry.id, item.distribution, purpose, number)
    return InvalidationRecord(item.cdn, item.distribution, purpose, number, key, item.paths)


def _merged(known: Sequence[InvalidationRecord], new: Sequence[InvalidationRecord]) -> tuple[InvalidationRecord, ...]:
    merged = {record.reference: record for record in (*known, *new)}
    return tuple(merged.values())
