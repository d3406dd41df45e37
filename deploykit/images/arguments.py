"""The `docker build` of one image, as values: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploykit.edges.docker import Builder, Docker
from deploykit.errors import FailedBefore
from deploykit.model.release import Commit


@dataclass(frozen=True)
class BuildOrder:
    """One image to build. ``reference`` is what it will be called: ``URI:TAG``."""

    service: str  # the key in deploykit.toml
    context: Path
    dockerfile: Path
    reference: str
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    platform: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    build_secrets: Mapping[str, str] = field(default_factory=dict)  # id → environment variable
    afresh: bool = False  # pull base images, take no layer from a cache
    cache: tuple[str, ...] = ()  # what keeps layers for other machines

    @property
    def own_ignore_file(self) -> Path:
        """The ignore file that counts for this Dockerfile alone, instead of the context's ``.dockerignore``."""
        return self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")


def image_labels(commit: Commit, source: str | None) -> dict[str, str]:
    """Where the image comes from. The time is the commit's, so that a rebuild can be the same image.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    known = {"revision": commit.sha, "source": source, "created": commit.time}
    return {f"org.opencontainers.image.{name}": value for name, value in known.items() if value}


def build_arguments(docker: Docker, order: BuildOrder, id_file: Path) -> list[str]:
    """The argument list; the image's id is written to ``id_file``. It holds names of secrets, never their values.

    Progress is plain always: the client 20.10 with ``-q`` does not react to signals.
    """
    command = {
        Builder.BUILDX: ["buildx", "build", "--load", "--progress", "plain"],
        Builder.BUILDKIT: ["build", "--progress", "plain"],
        Builder.CLASSIC: ["build"],
    }[docker.builder]
    options: list[tuple[str, str]] = [("--file", str(order.dockerfile)), ("--tag", order.reference)]
    options += [("--iidfile", str(id_file))]
    options += [("--label", f"{name}={value}") for name, value in order.labels.items()]
    options += [("--target", order.target)] if order.target else []
    options += [("--platform", order.platform)] if order.platform else []
    options += [("--build-arg", f"{name}={value}") for name, value in order.build_args.items()]
    options += [("--secret", f"id={name},env={variable}") for name, variable in order.build_secrets.items()]
    provenance = ["--provenance=false"] if docker.attestations else []  # else the digest is an index's
    afresh = ["--pull", "--no-cache"] if order.afresh else []
    flags = [*provenance, *afresh, *order.cache, *(word for pair in options for word in pair)]
    return [docker.program, *command, *flags, str(order.context)]


def refuse_unbuildable(docker: Docker, order: BuildOrder, environment: Mapping[str, str]) -> None:
    """Raises: FailedBefore for what this builder cannot do or this environment lacks, before anything is built."""
    missing = [variable for variable in order.build_secrets.values() if variable not in environment]
    if missing:
        raise FailedBefore(
            f"{order.service}: build_secrets takes its value from {', '.join(missing)}, which is not set",
            f"run `export {missing[0]}=…` first",
        )
    if docker.builder is not Builder.CLASSIC:
        return
    needs = "build_secrets" if order.build_secrets else ""
    if order.own_ignore_file.is_file():
        needs = f"the ignore file {order.own_ignore_file.name}"
    if needs:
        raise FailedBefore(
            f"{order.service}: {needs} needs BuildKit, and {docker.program} ({docker.version}) has the classic builder",
            "install buildx: https://github.com/docker/buildx#installing (a package named docker-buildx or similar)",
        )
