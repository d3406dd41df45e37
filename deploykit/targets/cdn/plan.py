"""CloudFront's caches: which must be emptied, and within which limits. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deploykit.config.schema import Cdn
from deploykit.errors import FailedBefore, Problem
from deploykit.model.plan import CdnInvalidation

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
            "CloudFront would refuse the invalidation", "fix `paths` in deploykit.toml", problems=problems
        )


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
