"""The `docker build` of one image, as a list of arguments. Pure, except that it looks for an ignore file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploykit.edges.docker import Builder, Docker
from deploykit.errors import FailedBefore
from deploykit.images.sources import own_ignore_file
from deploykit.model.release import Commit


@dataclass(frozen=True)
class BuildSpec:
    """One image to build. ``reference`` is the name it gets: ``URI:TAG``."""

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
    cache: tuple[str, ...] = ()  # options that share layers between machines


def image_labels(commit: Commit, source: str | None) -> dict[str, str]:
    """Where the image comes from. The time is the commit's, so that a rebuild can produce the same image.

    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    known = {"revision": commit.sha, "source": source, "created": commit.time}
    return {f"org.opencontainers.image.{name}": value for name, value in known.items() if value}


def build_arguments(docker: Docker, spec: BuildSpec, id_file: Path) -> list[str]:
    """The argument list, with the names of secrets, never their values. Docker writes the image's id to ``id_file``.

    Progress is always plain: client 20.10 with ``-q`` does not react to signals.
    """
    command = {
        Builder.BUILDX: ["buildx", "build", "--load", "--progress", "plain"],
        Builder.BUILDKIT: ["build", "--progress", "plain"],
        Builder.CLASSIC: ["build"],
    }[docker.builder]
    options = [("--file", str(spec.dockerfile)), ("--tag", spec.reference), ("--iidfile", str(id_file))]
    options += [("--label", f"{name}={value}") for name, value in spec.labels.items()]
    options += [("--target", spec.target)] if spec.target else []
    options += [("--platform", spec.platform)] if spec.platform else []
    options += [("--build-arg", f"{name}={value}") for name, value in spec.build_args.items()]
    options += [("--secret", f"id={name},env={variable}") for name, variable in spec.build_secrets.items()]
    provenance = ["--provenance=false"] if docker.attestations else []  # else the digest is an index's
    afresh = ["--pull", "--no-cache"] if spec.afresh else []
    flags = [*provenance, *afresh, *spec.cache, *(word for pair in options for word in pair)]
    return [docker.program, *command, *flags, str(spec.context)]


def refuse_unbuildable(docker: Docker, spec: BuildSpec, environment: Mapping[str, str]) -> None:
    """Raises: FailedBefore for what this builder cannot do, or for a secret that this environment does not have."""
    missing = [variable for variable in spec.build_secrets.values() if variable not in environment]
    if missing:
        raise FailedBefore(
            f"{spec.service}: build_secrets takes its value from {', '.join(missing)}, which is not set",
            f"run `export {missing[0]}=…` first",
        )
    if docker.builder is not Builder.CLASSIC:
        return
    ignore_file = own_ignore_file(spec.dockerfile)
    needs = "build_secrets" if spec.build_secrets else ""
    if ignore_file.is_file():
        needs = f"the ignore file {ignore_file.name}"
    if needs:
        raise FailedBefore(
            f"{spec.service}: {needs} needs BuildKit, and {docker.program} ({docker.version}) has the classic builder",
            "install buildx: https://github.com/docker/buildx#installing (a package named docker-buildx or similar)",
        )
