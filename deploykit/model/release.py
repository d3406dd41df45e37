"""A release: which commit and image each service runs, and what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What is known of a release's health."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    INCONCLUSIVE = "inconclusive"  # could not be judged: never undone
    UNCHECKED = "unchecked"  # no endpoint configured: ECS's word only
    WITHDRAWN = "withdrawn"  # a rollback left it; as a tag only

    @property
    def final(self) -> bool:
        """True where the next deploy of the same commit need not judge it again."""
        return self is not Verdict.INCONCLUSIVE

    @property
    def verified(self) -> bool:
        """True where a rollback may go there."""
        return self in (Verdict.HEALTHY, Verdict.UNCHECKED)


class Outcome(StrEnum):
    """How a run ended."""

    DEPLOYED = "deployed"
    UNCHANGED = "unchanged"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"
    HELD = "held"  # deploys were frozen
    RELEASED = "released"  # a freeze or a lock was taken away


@dataclass(frozen=True)
class Commit:
    """A git commit, or the work tree on top of one (``--allow-dirty``)."""

    sha: str  # 40 hexadecimal digits
    subject: str = ""
    time: str = ""  # the committer's, RFC 3339
    dirty: str | None = None  # hash of the uncommitted content that is built

    @property
    def tag(self) -> str:
        """The image tag: the full SHA, or ``SHA-dirty-HASH``; also what a container reports as its version."""
        return f"{self.sha}-dirty-{self.dirty}" if self.dirty else self.sha

    @property
    def short(self) -> str:
        return short(self.tag)


def short(sha: str) -> str:
    """A commit (or an image's tag) as people read it: 7 digits; what is not committed keeps its mark."""
    commit, _, rest = sha.partition("-")
    return commit[:7] + ("-dirty" if rest.startswith("dirty") else "")


def typed(sha: str) -> str:
    """A commit as one types it: 12 digits are unambiguous in any repository; uncommitted changes by their whole tag."""
    return sha if "-dirty" in sha else sha[:12]


@dataclass(frozen=True)
class Image:
    """An image in the registry, by digest."""

    repository: str  # the repository's name: "davidshaevel/backend"
    uri: str  # the repository with its host: "108581769167.dkr.ecr.us-east-1.amazonaws.com/davidshaevel/backend"
    tag: str
    digest: str  # the manifest's, "sha256:…": what ECS resolves and runs
    config_digest: str | None = None  # equals the local image's id on engines with the classic image store
    platforms: tuple[str, ...] = ()  # of an index of images, as its manifest names them: "linux/arm64"

    @property
    def reference(self) -> str:
        """By digest; by tag where the image is still to be built and has none."""
        return f"{self.uri}@{self.digest}" if self.digest else f"{self.uri}:{self.tag}"


@dataclass(frozen=True)
class ReleasedService:
    """One service in a release, changed by it or not."""

    service: str  # the key in deploykit.toml
    sha: str | None
    image: str | None  # by digest
    digest: str | None
    task_definition: str  # the ARN that runs
    previous_task_definition: str | None
    changed: bool


@dataclass(frozen=True)
class ReleaseSummary:
    """What a report says of a release."""

    id: str | None
    sha: str | None
    previous_sha: str | None = None
    verdict: Verdict | None = None
