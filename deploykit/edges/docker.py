"""The docker client of this machine: which one, with which builder, and whether its engine answers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from deploykit.edges.process import run
from deploykit.errors import OutOfReach

_PATIENCE = 20.0  # seconds for an engine to answer; one behind ssh takes a few


class Builder(StrEnum):
    """How images are built, the best first."""

    BUILDX = "buildx"  # the plugin
    BUILDKIT = "buildkit"  # built into clients before 23, off unless DOCKER_BUILDKIT=1
    CLASSIC = "classic"  # neither secrets nor foreign platforms


@dataclass(frozen=True)
class Docker:
    """A client that works. ``engine_platform`` is the engine's own, such as ``linux/amd64``."""

    program: str
    version: str
    builder: Builder
    engine_platform: str
    attestations: bool = False  # buildx 0.10 and newer adds one, which makes the image an index

    @property
    def build_environment(self) -> dict[str, str]:
        """The variable that makes this client use ``builder``."""
        wanted = {Builder.BUILDKIT: "1", Builder.CLASSIC: "0"}.get(self.builder)
        return {"DOCKER_BUILDKIT": wanted} if wanted else {}


@dataclass(frozen=True)
class LocalImage:
    """An image on the engine: ``id`` is its config's digest (with the containerd store, its manifest's)."""

    id: str
    platform: str  # "linux/arm64", "linux/arm/v7"
    labels: Mapping[str, str] = field(default_factory=dict)


def find_docker(environment: Mapping[str, str] = os.environ) -> Docker:
    """The client with the best builder on PATH; of equal ones, the first.

    A client without buildx often comes before a distribution's own, which has BuildKit inside.
    Raises: OutOfReach (no client, or no engine that answers).
    """
    found: list[Docker] = []
    complaints: list[str] = []
    for program in _clients(environment):
        client = _look_at(program, environment)
        if isinstance(client, str):
            complaints.append(client)
            continue
        found.append(client)
        if client.builder is Builder.BUILDX:
            break
    if found:
        return min(found, key=lambda client: list(Builder).index(client.builder))
    if not complaints:
        run(("docker",), env=environment)  # raises what a missing program raises
    raise _unreachable(complaints[0] if complaints else "", environment)


def inspect_image(docker: Docker, reference: str, environment: Mapping[str, str] = os.environ) -> LocalImage | None:
    """The image as the engine has it; None where no image has that name."""
    done = run((docker.program, "image", "inspect", "--format", "{{json .}}", reference), env=environment)
    if done.code:
        if "No such image" in done.errors:
            return None
        raise _unreachable(done.errors, environment)
    facts = json.loads(done.output)
    parts = (facts.get("Os"), facts.get("Architecture"), facts.get("Variant"))
    labels = (facts.get("Config") or {}).get("Labels") or {}
    return LocalImage(str(facts["Id"]), "/".join(part for part in parts if part), labels)


def exports_cache(docker: Docker, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the buildx builder in use can write the layers of every stage to a registry.

    A builder inside an engine can do so with the containerd image store only.
    https://docs.docker.com/build/cache/backends/#command-syntax
    """
    shown = run((docker.program, "buildx", "inspect"), env=environment, timeout=_PATIENCE)
    driver = re.search(r"^Driver:\s*(\S+)", shown.output, re.MULTILINE)
    if driver is None or driver[1] != "docker":
        return driver is not None
    status = run((docker.program, "info", "--format", "{{json .DriverStatus}}"), env=environment, timeout=_PATIENCE)
    return "io.containerd.snapshotter" in status.output


def same_platform(asked: str, built: str) -> bool:
    """Whether ``built`` is what was ``asked``; variants count only where both name one (arm64 is arm64/v8)."""
    wanted, got = asked.split("/"), built.split("/")
    return wanted[:2] == got[:2] and (len(wanted) < 3 or len(got) < 3 or wanted[2] == got[2])


def _clients(environment: Mapping[str, str]) -> Iterator[str]:
    seen: set[Path] = set()
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        program = Path(folder or ".") / "docker"
        if os.access(program, os.X_OK) and program.is_file() and program.resolve() not in seen:
            seen.add(program.resolve())
            yield str(program.absolute())


def _look_at(program: str, environment: Mapping[str, str]) -> Docker | str:
    """The client, or why it cannot be used."""
    done = run((program, "version", "--format", "{{json .}}"), env=environment, timeout=_PATIENCE)
    try:
        answer = json.loads(done.output)
        server = answer["Server"]
        version = str(answer["Client"]["Version"])
        platform = f"{server['Os']}/{server['Arch']}"
    except (ValueError, KeyError, TypeError):
        return done.errors or f"`{program} version` ended with {done.code}"
    plugin = run((program, "buildx", "version"), env=environment, timeout=_PATIENCE)
    if plugin.code == 0:
        return Docker(program, version, Builder.BUILDX, platform, _attests(plugin.output))
    major = re.match(r"\d+", version)
    builder = Builder.BUILDKIT if major is None or int(major[0]) < 23 else Builder.CLASSIC
    return Docker(program, version, builder, platform)


def _attests(text: str) -> bool:
    """0.10 brought --provenance; self-built ones say v0.0.0. https://github.com/docker/buildx/releases/tag/v0.10.0"""
    number = re.search(r"v(\d+)\.(\d+)\.\d+", text)
    return number is None or (int(number[1]), int(number[2])) >= (0, 10) or number[0] == "v0.0.0"


def _unreachable(complaint: str, environment: Mapping[str, str]) -> OutOfReach:
    where = environment.get("DOCKER_HOST") or environment.get("DOCKER_CONTEXT")
    at = f" at {where}" if where else ""
    if "permission denied" in complaint.lower():
        return OutOfReach(
            f"not allowed to use the Docker Engine{at}: {complaint.strip()}",
            "run `sudo usermod -aG docker $USER` and log in again, or use a rootless engine",
        )
    hint = "start it: `sudo systemctl start docker`, or Docker Desktop"
    hint = f"check DOCKER_HOST and DOCKER_CONTEXT, or {hint}" if where else f"{hint}; or set DOCKER_HOST"
    return OutOfReach(f"the Docker Engine{at} is not reachable: {complaint.strip()}", hint)
