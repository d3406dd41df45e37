"""What docker printed, and the error it becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.errors import ExitCode
from deploykit.images.arguments import BuildSpec
from deploykit.images.failures import build_failed, push_failed

SPEC = BuildSpec("web", Path("/t/web"), Path("/t/web/Dockerfile"), "registry/web:abc", platform="linux/arm64")
UNREACHABLE = (
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
    "127.0.0.53:53: no such host"
)


def test_a_failed_build_names_service_dockerfile_and_exit_code() -> None:
    error = build_failed(SPEC, 2, "#5 ERROR: process did not complete successfully: exit code: 2\n", "linux/amd64")
    assert error.message == "web: the build of Dockerfile failed with exit code 2"
    assert error.code is ExitCode.FAILED_BEFORE


@pytest.mark.parametrize(
    ("output", "registry"),
    [
        (UNREACHABLE, "registry-1.docker.io"),
        (
            "#2 ERROR: failed to do request: Head "
            '"https://public.ecr.aws/v2/docker/library/node/manifests/20": dial tcp 1.2.3.4:443: i/o timeout\n------',
            "public.ecr.aws",
        ),
    ],
)
def test_a_base_image_out_of_reach_is_not_the_builds_fault(output: str, registry: str) -> None:
    error = build_failed(SPEC, 1, output, "linux/amd64")
    assert error.code is ExitCode.OUT_OF_REACH
    assert f"the registry {registry} is not reachable" in error.message


def test_a_program_without_a_network_is_the_builds_own_failure() -> None:
    error = build_failed(SPEC, 1, "npm ERR! getaddrinfo: no such host registry.npmjs.org", "linux/amd64")
    assert error.code is ExitCode.FAILED_BEFORE


def test_a_foreign_platform_without_emulation_is_explained() -> None:
    error = build_failed(SPEC, 1, "exec /bin/sh: exec format error", "linux/amd64")
    assert "(linux/amd64) cannot run programs of linux/arm64" in error.hint
    native = build_failed(replace(SPEC, platform=None), 1, "exec format error", "linux/amd64")
    assert "QEMU" not in native.hint


@pytest.mark.parametrize(
    ("output", "code", "words"),
    [
        (
            "name unknown: The repository with name 'web' does not exist",
            5,
            "aws ecr create-repository --repository-name",
        ),
        (
            "denied: User: arn:aws:iam::1:user/x is not authorized to perform: ecr:InitiateLayerUpload on resource: y",
            3,
            "allow the IAM action ecr:InitiateLayerUpload",
        ),
        ("no basic auth credentials", 3, "refused the push"),
        ('Get "https://r.example/v2/": dial tcp 1.2.3.4:443: connect: connection refused', 3, "is not reachable"),
        ("unexpected EOF", 5, "failed with exit code 1: unexpected EOF"),
        ("", 5, "failed with exit code 1"),
    ],
)
def test_a_failed_push_says_what_is_missing(output: str, code: int, words: str) -> None:
    error = push_failed("web", "r.example/web", "web", "us-east-1", 1, output)
    assert error.code == code
    assert words in f"{error.message} {error.hint}"
