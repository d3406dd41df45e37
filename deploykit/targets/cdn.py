"""CloudFront's caches: which must be emptied, within which limits, and the wait until they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from deploykit.config.schema import Cdn
from deploykit.edges.aws.cloudfront import Invalidation, create_invalidation, get_invalidation
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import FailedBefore, Problem
from deploykit.model.ledger import InvalidationRecord
from deploykit.model.plan import CdnInvalidation
from deploykit.model.progress import Progress

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-invalidations
_PATHS_IN_PROGRESS = 3000
_WILDCARDS_IN_PROGRESS = 15
_PATH_LENGTH = 4000
_TAG_LENGTH = 256


def needed(cdn: Mapping[str, Cdn], changed: Collection[str]) -> tuple[CdnInvalidation, ...]:
    """The distributions behind which one of the ``changed`` services stands."""
    return tuple(
        CdnInvalidation(key, item.distribution, tuple(item.paths))
        for key, item in cdn.items()
        if changed and (item.after is None or set(item.after) & set(changed))
    )


def refuse_beyond_limits(invalidations: Sequence[CdnInvalidation]) -> None:
    """Raises: FailedBefore with everything that CloudFront would refuse, before anything is sent."""
    problems = [
        Problem(f"[cdn.{item.cdn}] {text}", key=f"cdn.{item.cdn}.paths")
        for item in invalidations
        for text in _beyond_limits(item.paths)
    ]
    if problems:
        raise FailedBefore(
            "CloudFront would refuse the invalidation", "mend `paths` in deploykit.toml", problems=problems
        )


def reference(release: str, distribution: str, purpose: str, number: int) -> str:
    """The caller reference: the same for a repeated run, another for another purpose.

    CloudFront answers a reference it knows, with the same paths, with the first invalidation:
    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_InvalidationBatch.html
    """
    return f"deploykit/{release}/{distribution}/{purpose}/{number}"


def invalidate(
    aws: Aws,
    records: Sequence[InvalidationRecord],
    deadline: Deadline,
    progress: Progress,
    answered: Callable[[InvalidationRecord, Invalidation], None],
) -> None:
    """Ask for every invalidation of ``records`` (already written down), and wait until all are completed.

    ``answered`` is told CloudFront's id of each. Raises: AwsRefused, NotAllowed; FailedBefore past the deadline.
    """
    under_way: dict[str, tuple[InvalidationRecord, Invalidation]] = {}
    for record in records:
        invalidation = _create(aws, record, deadline, progress)
        answered(record, invalidation)
        progress.say(f"invalidating {', '.join(record.paths)} on {record.distribution}", record.cdn)
        under_way[record.reference] = (record, invalidation)
    began = deadline.clock.monotonic()

    def left() -> str:
        return ", ".join(f"{invalidation.id} on {record.distribution}" for record, invalidation in under_way.values())

    def look() -> bool | Waiting:
        for key, (record, invalidation) in list(under_way.items()):
            if invalidation.completed or get_invalidation(aws, record.distribution, invalidation.id).completed:
                seconds = deadline.clock.monotonic() - began
                progress.say(f"invalidation {invalidation.id} completed after {seconds:.0f} s", record.cdn)
                del under_way[key]
            else:
                progress.live(record.cdn, f"invalidation {invalidation.id} in progress")
        return Waiting(f"{left()} in progress") if under_way else True

    if isinstance(Poll("CloudFront", deadline, _until_completed, progress, at_once=True).until(look), Overdue):
        raise FailedBefore(
            f"CloudFront has not completed {left()} after {deadline.seconds:.0f} s",
            "it goes on by itself; `deploykit deploy` again judges the release once it is done",
        )


def _until_completed(waited: float) -> float:
    """An invalidation takes seconds to minutes: each pause is 1.3 times the one before."""
    return min(10.0, 1.0 + 0.3 * waited)


def _create(aws: Aws, record: InvalidationRecord, deadline: Deadline, progress: Progress) -> Invalidation:
    def ask() -> Invalidation | Waiting:
        try:
            return create_invalidation(aws, record.distribution, record.paths, record.reference)
        except AwsRefused as refusal:
            if refusal.error == "NoSuchDistribution":
                raise FailedBefore(
                    f"[cdn.{record.cdn}] distribution {record.distribution} does not exist in this account",
                    "mend `distribution` in deploykit.toml; `aws cloudfront list-distributions` shows what is there",
                ) from refusal
            if refusal.error != "TooManyInvalidationsInProgress":
                raise
            return Waiting("too many invalidations in progress", tell=True)

    # a write: what answers nothing here ends the step, which a next run repeats under the same reference
    what = "room for one more invalidation"
    found = Poll(what, deadline, lambda _: 10.0, progress, record.cdn, at_once=True, passing=()).until(ask)
    if isinstance(found, Overdue):
        raise FailedBefore(
            f"[cdn.{record.cdn}] {record.distribution}: {found}",
            "`deploykit deploy` again once one of them has completed",
        )
    return found


def _beyond_limits(paths: Sequence[str]) -> list[str]:
    problems = [text for path in paths for text in _wrong(path)]
    if len(paths) > _PATHS_IN_PROGRESS:
        problems.append(f"{len(paths)} paths; CloudFront takes {_PATHS_IN_PROGRESS} at a time")
    wildcards = sum(path.endswith("*") for path in paths)
    if wildcards > _WILDCARDS_IN_PROGRESS:
        problems.append(f"{wildcards} paths end in *; CloudFront takes {_WILDCARDS_IN_PROGRESS} at a time")
    return problems


def _wrong(path: str) -> list[str]:
    if path.startswith("#"):
        tag = path[1:]
        if not 1 <= len(tag) <= _TAG_LENGTH or not all("!" <= sign <= "~" for sign in tag) or set(tag) & set(",*"):
            return [f"cache tag {path!r} must be 1 to {_TAG_LENGTH} visible ASCII characters without comma and *"]
        return []
    if not path.startswith("/"):
        return [f"path {path!r} must begin with / (or with # for a cache tag)"]
    if len(path) > _PATH_LENGTH:
        return [f"path {path[:40]!r}… has {len(path)} characters; CloudFront takes {_PATH_LENGTH}"]
    if "*" in path[:-1]:
        return [f"path {path!r} has a * that is not at its end; CloudFront would take it literally"]
    return []
