"""The writes to CloudFront: every invalidation is in the ledger before it is asked for, and waited for.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from deploykit.edges.aws.cloudfront import Invalidation, create_invalidation, get_invalidation
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import DeploykitError, FailedBefore
from deploykit.ledger.journal import Journal, Run
from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import InvalidationRecord
from deploykit.model.plan import CdnInvalidation
from deploykit.model.progress import Progress

Purpose = Literal["release", "undo", "stale", "step"]


def reference(release: str, distribution: str, purpose: str, number: int) -> str:
    """The caller reference: the same for a repeated run, another for another purpose.

    CloudFront answers a reference it knows, with the same paths, with the first invalidation:
    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_InvalidationBatch.html
    """
    return f"deploykit/{release}/{distribution}/{purpose}/{number}"


@dataclass(frozen=True)
class Emptied:
    """What became of the invalidations of one purpose. ``error``: what CloudFront refused, or did not complete."""

    error: DeploykitError | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        if self.error is None:
            return ()
        return (Finding("not-invalidated", "error", "high", "cdn", self.error.message, hint=self.error.hint),)


def invalidate(run: Run, invalidations: Sequence[CdnInvalidation], purpose: Purpose) -> Emptied:
    """Empty the caches of ``invalidations`` for ``purpose``, and wait until CloudFront has.

    A purpose that occurs again in one release (a second stale edge) gets the next number; a run that continues a
    killed one takes up the records it finds, so that CloudFront answers with the invalidation it already has.
    """
    if not invalidations:
        if purpose in ("release", "step"):
            run.steps.skip("invalidate")
        return Emptied()
    records: list[InvalidationRecord] = []
    asked: list[tuple[InvalidationRecord, Invalidation]] = []
    try:
        with run.steps.step("invalidate"):
            for item in invalidations:
                records.append(_record(item, purpose, run.journal))
                _note(run.journal, records)
            run.journal.save()
            for record in records:
                invalidation = _create(run.world.aws, record, run.deadline, run.world.progress)
                _note(run.journal, [replace(record, id=invalidation.id)])
                run.world.progress.say(f"invalidating {', '.join(record.paths)} on {record.distribution}", record.cdn)
                asked.append((record, invalidation))
            _wait(run, asked)
    except DeploykitError as error:
        if purpose != "step":  # by itself, this ends the command
            run.world.progress.warn(error.message)
        return Emptied(error)
    return Emptied()


def _record(item: CdnInvalidation, purpose: Purpose, journal: Journal) -> InvalidationRecord:
    same = [r for r in journal.entry.invalidations if r.distribution == item.distribution and r.purpose == purpose]
    unanswered = next(
        (r for r in same if r.cdn == item.cdn and r.paths == item.paths and (purpose != "stale" or r.id is None)), None
    )
    if unanswered is not None:
        return unanswered
    number = 1 + max((r.number for r in same), default=0)
    key = reference(journal.entry.id, item.distribution, purpose, number)
    return InvalidationRecord(item.cdn, item.distribution, purpose, number, key, item.paths)


def _note(journal: Journal, records: Sequence[InvalidationRecord]) -> None:
    merged = {record.reference: record for record in (*journal.entry.invalidations, *records)}
    journal.note(invalidations=tuple(merged.values()))


def _create(aws: Aws, record: InvalidationRecord, deadline: Deadline, progress: Progress) -> Invalidation:
    def ask() -> Invalidation | Waiting:
        try:
            return create_invalidation(aws, record.distribution, record.paths, record.reference)
        except AwsRefused as refusal:
            if refusal.error == "NoSuchDistribution":
                raise FailedBefore(
                    f"[cdn.{record.cdn}] distribution {record.distribution} does not exist in this account",
                    "fix `distribution` in deploykit.toml; `aws cloudfront list-distributions` shows what is there",
                ) from refusal
            if refusal.error != "TooManyInvalidationsInProgress":
                raise
            return Waiting("too many invalidations in progress", tell=True)

    # a write: one without an answer ends the step, which the next run repeats under the same reference
    what = "room for one more invalidation"
    found = Poll(what, deadline, lambda _: 10.0, progress, record.cdn, at_once=True, passing=()).until(ask)
    if isinstance(found, Overdue):
        raise FailedBefore(
            f"[cdn.{record.cdn}] {record.distribution}: {found}",
            Hint(command("deploy"), " again once one of them has completed"),
        )
    return found


def _wait(run: Run, asked: Sequence[tuple[InvalidationRecord, Invalidation]]) -> None:
    """Until all are completed. Raises: FailedBefore past the deadline."""
    world = run.world
    under_way = {record.reference: (record, invalidation) for record, invalidation in asked}
    began = world.clock.monotonic()

    def left() -> str:
        return ", ".join(f"{each.id} on {record.distribution}" for record, each in under_way.values())

    def look() -> bool | Waiting:
        for key, (record, each) in list(under_way.items()):
            if each.completed or get_invalidation(world.aws, record.distribution, each.id).completed:
                seconds = world.clock.monotonic() - began
                world.progress.say(f"invalidation {each.id} completed after {seconds:.0f} s", record.cdn)
                del under_way[key]
            else:
                world.progress.live(record.cdn, f"invalidation {each.id} in progress")
        return Waiting(f"{left()} in progress") if under_way else True

    with run.journal.waiting():
        seen = Poll("CloudFront", run.deadline, _until_completed, world.progress, at_once=True).until(look)
    if isinstance(seen, Overdue):
        raise FailedBefore(
            f"CloudFront has not completed {left()} after {run.deadline.seconds:.0f} s",
            Hint("it continues by itself; ", command("deploy"), " again judges the release once it is done"),
        )


def _until_completed(waited: float) -> float:
    """An invalidation takes seconds to minutes: each pause is 1.3 times the one before."""
    return min(10.0, 1.0 + 0.3 * waited)
