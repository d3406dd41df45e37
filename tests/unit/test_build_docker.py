"""Which docker client is used, found out by asking the programs on PATH."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploykit.edges.docker import Builder, find_docker, inspect_image, same_platform
from deploykit.errors import OutOfReach

ENGINE = {"Os": "linux", "Arch": "amd64"}
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


def _client(
    folder: Path, version: str, *, buildx: str | None = None, engine: bool = True, complaint: str = DOWN
) -> Path:
    """A program that answers as docker ``version`` does; what else it is asked, it answers as an error."""
    folder.mkdir(parents=True)
    answer = json.dumps({"Client": {"Version": version}, "Server": ENGINE if engine else None})
    refusal = f"echo '{complaint}' >&2; exit 1"
    plugin = f"echo {buildx}; exit 0" if buildx else "echo unknown command >&2; exit 1"
    lines = [
        "#!/bin/sh",
        'case "$1" in',
        f"version) echo '{answer}'; {'exit 0' if engine else refusal};;",
        f"buildx) {plugin};;",
        f"*) {refusal};;",
        "esac",
    ]
    program = folder / "docker"
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return program


def _path(*programs: Path) -> dict[str, str]:
    return {"PATH": ":".join(str(program.parent) for program in programs)}


@pytest.mark.parametrize(
    ("version", "buildx", "builder", "attestations"),
    [
        ("28.2.2", "github.com/docker/buildx v0.19.3 48d6a39", Builder.BUILDX, True),
        ("20.10.24+dfsg1", "github.com/docker/buildx v0.9.1 ed00243", Builder.BUILDX, False),
        ("28.2.2", "github.com/docker/buildx v0.0.0+unknown", Builder.BUILDX, True),
        ("20.10.24+dfsg1", None, Builder.BUILDKIT, False),
        ("28.2.2", None, Builder.CLASSIC, False),
    ],
)
def test_the_builder_is_found_out(
    tmp_path: Path, version: str, buildx: str | None, builder: Builder, attestations: bool
) -> None:
    program = _client(tmp_path / "a", version, buildx=buildx)
    docker = find_docker(_path(program))
    assert (docker.program, docker.version, docker.builder) == (str(program), version, builder)
    assert (docker.attestations, docker.engine_platform) == (attestations, "linux/amd64")


def test_a_client_with_a_better_builder_further_along_path_is_preferred(tmp_path: Path) -> None:
    bare, debian = _client(tmp_path / "a", "28.2.2"), _client(tmp_path / "b", "20.10.24+dfsg1")
    assert find_docker(_path(bare, debian)).program == str(debian)
    assert find_docker(_path(debian, bare)).program == str(debian)


def test_the_first_of_equal_clients_is_used(tmp_path: Path) -> None:
    first, second = _client(tmp_path / "a", "28.2.2"), _client(tmp_path / "b", "27.0.1")
    assert find_docker(_path(first, second)).program == str(first)


def test_without_a_client_it_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(OutOfReach) as caught:
        find_docker({"PATH": str(tmp_path)})
    assert "docker is not installed" in caught.value.message


@pytest.mark.parametrize(
    ("complaint", "environment", "message", "hint"),
    [
        (DOWN, {}, "the Docker Engine is not reachable: Cannot connect", "sudo systemctl start docker"),
        (DOWN, {"DOCKER_HOST": "ssh://far"}, "the Docker Engine at ssh://far is not reachable", "check DOCKER_HOST"),
        ("permission denied while trying to connect", {}, "not allowed to use the Docker Engine", "usermod -aG docker"),
    ],
)
def test_without_an_engine_it_says_what_to_do(
    tmp_path: Path, complaint: str, environment: dict[str, str], message: str, hint: str
) -> None:
    program = _client(tmp_path / "a", "28.2.2", engine=False, complaint=complaint)
    with pytest.raises(OutOfReach) as caught:
        find_docker({**_path(program), **environment})
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_an_image_that_cannot_be_looked_at_is_not_taken_for_missing(tmp_path: Path) -> None:
    docker = find_docker(_path(_client(tmp_path / "a", "28.2.2")))
    with pytest.raises(OutOfReach):
        inspect_image(docker, "web:1")


@pytest.mark.parametrize(
    ("asked", "built", "same"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm64", "linux/amd64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/amd64", "nothing", False),
    ],
)
def test_platforms_are_compared_by_what_both_name(asked: str, built: str, same: bool) -> None:
    assert same_platform(asked, built) is same
