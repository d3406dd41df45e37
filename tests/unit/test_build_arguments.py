"""The `docker build` of an image, for each builder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.edges.docker import Builder, Docker
from deploykit.errors import FailedBefore
from deploykit.images.arguments import BuildSpec, build_arguments, image_labels, refuse_unbuildable
from deploykit.model.release import Commit

BUILDX = Docker("/bin/docker", "28.2.2", Builder.BUILDX, "linux/amd64", attestations=True)
OLD_BUILDX = replace(BUILDX, attestations=False)
BUILDKIT = Docker("/bin/docker", "20.10.24", Builder.BUILDKIT, "linux/amd64")
CLASSIC = Docker("/bin/docker", "28.2.2", Builder.CLASSIC, "linux/amd64")

PLAIN = BuildSpec("web", Path("/t/web"), Path("/t/web/Dockerfile"), "registry/web:abc")
FULL = replace(
    PLAIN,
    labels={"l": "1"},
    target="production",
    platform="linux/arm64",
    build_args={"BASE": "node:20", "EMPTY": ""},
    build_secrets={"npm": "NPM_TOKEN"},
)
FILE = "--file /t/web/Dockerfile --tag registry/web:abc --iidfile /t/id"
OPTIONS = "--label l=1 --target production --platform linux/arm64 --build-arg BASE=node:20 --build-arg EMPTY="
SECRET = "--secret id=npm,env=NPM_TOKEN"


@pytest.mark.parametrize(
    ("docker", "spec", "line"),
    [
        (BUILDX, PLAIN, f"buildx build --load --progress plain --provenance=false {FILE}"),
        (OLD_BUILDX, PLAIN, f"buildx build --load --progress plain {FILE}"),
        (BUILDKIT, PLAIN, f"build --progress plain {FILE}"),
        (CLASSIC, PLAIN, f"build {FILE}"),
        (BUILDX, FULL, f"buildx build --load --progress plain --provenance=false {FILE} {OPTIONS} {SECRET}"),
        (BUILDKIT, FULL, f"build --progress plain {FILE} {OPTIONS} {SECRET}"),
        (CLASSIC, replace(FULL, build_secrets={}), f"build {FILE} {OPTIONS}"),
    ],
)
def test_each_builder_gets_its_own_command(docker: Docker, spec: BuildSpec, line: str) -> None:
    assert " ".join(build_arguments(docker, spec, Path("/t/id"))) == f"/bin/docker {line} /t/web"


@pytest.mark.parametrize(
    ("docker", "switch"), [(BUILDX, {}), (BUILDKIT, {"DOCKER_BUILDKIT": "1"}), (CLASSIC, {"DOCKER_BUILDKIT": "0"})]
)
def test_the_builder_is_switched_on_by_name(docker: Docker, switch: dict[str, str]) -> None:
    assert docker.build_environment == switch


def test_the_labels_tell_revision_source_and_the_commits_time() -> None:
    prefix = "org.opencontainers.image."
    commit = Commit("a" * 40, "subject", "2026-11-21T06:20:00Z")
    assert image_labels(commit, "https://example.com/shop") == {
        f"{prefix}revision": "a" * 40,
        f"{prefix}source": "https://example.com/shop",
        f"{prefix}created": "2026-11-21T06:20:00Z",
    }
    assert f"{prefix}source" not in image_labels(commit, None)


def test_a_build_secret_that_is_not_set_is_refused_by_the_variables_name() -> None:
    with pytest.raises(FailedBefore) as caught:
        refuse_unbuildable(BUILDX, FULL, {})
    assert "NPM_TOKEN, which is not set" in caught.value.message
    refuse_unbuildable(BUILDX, FULL, {"NPM_TOKEN": "x"})


def test_the_classic_builder_is_not_trusted_with_secrets() -> None:
    with pytest.raises(FailedBefore) as caught:
        refuse_unbuildable(CLASSIC, FULL, {"NPM_TOKEN": "x"})
    assert "build_secrets needs BuildKit" in caught.value.message
    assert "buildx" in caught.value.hint


def test_the_classic_builder_is_not_trusted_with_a_dockerfiles_own_ignore_file(tmp_path: Path) -> None:
    spec = replace(PLAIN, dockerfile=tmp_path / "web.Dockerfile")
    refuse_unbuildable(CLASSIC, spec, {})
    (tmp_path / "web.Dockerfile.dockerignore").write_text("*.env\n")
    refuse_unbuildable(BUILDKIT, spec, {})
    with pytest.raises(FailedBefore, match=r"web\.Dockerfile\.dockerignore needs BuildKit"):
        refuse_unbuildable(CLASSIC, spec, {})
