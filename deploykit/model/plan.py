"""A plan: which services go to which revision, in which order, and which caches follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deploykit.model.observed import Definition, ObservedService, ServiceName
from deploykit.model.release import Image, ReleasedService, Verdict

Action = Literal["build", "reuse", "keep"]


@dataclass(frozen=True)
class PlannedImage:
    """One service's image for this release. Its digest is empty until it has been built and pushed."""

    action: Action
    image: Image
    named: bool  # the commit's tag is on an image already
    why: str


@dataclass(frozen=True)
class Change:
    """One service's way from the revision it runs to another.

    ``to`` exists already; without it ``registration`` is registered first. Both: an earlier run has registered it, and
    was killed before the rollout, or was `migrate`. ``before`` is what an undo restores, None where that is unknown.
    """

    name: ServiceName
    container: str
    before: Definition | None
    sha: str | None
    image: str | None  # by digest
    registration: Mapping[str, Any] | None = None
    to: Definition | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str | None:
        return (self.image or "").partition("@")[2] or None


@dataclass(frozen=True)
class CdnInvalidation:
    """One distribution whose caches must be emptied."""

    cdn: str
    distribution: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a run will do to an environment."""

    kind: Literal["deploy", "rollback", "step"]
    environment: str
    release: str  # the ledger entry's id
    sha: str | None
    previous_sha: str | None
    observed: Mapping[str, ObservedService]  # every service of the environment
    changes: Mapping[str, Change]
    sequence: Mapping[str, tuple[str, ...]]  # each change, and those of the others that come before it
    invalidations: tuple[CdnInvalidation, ...]
    target: str | None = None  # a rollback's: the release gone back to
    target_verdict: Verdict | None = None  # what was proven of it
    withdraws: tuple[str, ...] = ()  # releases that a rollback leaves

    @property
    def empty(self) -> bool:
        return not self.changes

    @property
    def least_seconds(self) -> float:
        """Seconds that ECS's own waits take at least, one rollout after the other where ``sequence`` says so."""

        def until_done(key: str) -> float:
            shifting = self.observed[key].state.shifting
            return max(map(until_done, self.sequence[key]), default=0.0) + (shifting.least if shifting else 0.0)

        return max(map(until_done, self.sequence), default=0.0)

    @property
    def patience(self) -> float:
        """Seconds on top of every deadline: a rollback is not refused because ECS bakes for long, a deploy is."""
        return self.least_seconds if self.kind == "rollback" else 0.0

    def released(self) -> dict[str, ReleasedService]:
        """Every service as it runs before anything is done."""
        return {key: released_service(service) for key, service in self.observed.items()}


def released_service(service: ObservedService) -> ReleasedService:
    """A service as it runs, unchanged by this release."""
    return ReleasedService(
        service.key, service.sha, service.image, service.digest, service.definition.arn, None, changed=False
    )
