"""Images built by a real Docker Engine and pushed, with a login, to a registry that the simulated ECR shows."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from deploykit.edges.docker import Builder, Docker, find_docker, inspect_image
from deploykit.edges.git import Source
from deploykit.edges.process import run
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.images.build import ImageToBuild, build_images
from deploykit.images.push import push_images
from deploykit.images.sources import built_services
from deploykit.model.release import Commit
from deploykit.sandbox import images
from tests.flow.registry import Registry, SimulatedEcr
from tests.flow.shop import Shop
from tests.simulator import Simulator

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def docker() -> Docker:
    return find_docker()


MakeShop = Callable[..., Shop]


@pytest.fixture
def make_shop(tmp_path: Path, docker: Docker) -> Iterator[MakeShop]:
    made: list[Shop] = []

    def make(**more: str) -> Shop:
        made.append(Shop(tmp_path / "shop", **more))
        return made[-1]

    yield make
    for shop in made:
        shop.remove_images(docker)


def _build(
    docker: Docker, shop: Shop, commit: Commit, *services: str, environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    wanted = _wanted(shop, commit, *services)
    return build_images(docker, Source(shop.repository, commit), shop.configuration, wanted, shop.world(environment))


def _wanted(shop: Shop, commit: Commit, *services: str) -> dict[str, ImageToBuild]:
    owners = built_services(shop.configuration, services or shop.configuration.services)
    return {key: ImageToBuild(commit.tag, service.platform) for key, service in owners.items()}


def _contents(docker: Docker, image: str) -> dict[str, bytes]:
    """The files of an image, by path."""
    saved = subprocess.run((docker.program, "save", image), capture_output=True, check=True).stdout
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(saved)) as outer:
        manifest = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type]
        for name in manifest[0]["Layers"]:
            with tarfile.open(fileobj=io.BytesIO(outer.extractfile(name).read())) as layer:  # type: ignore[union-attr]
                files |= {m.name: layer.extractfile(m).read() for m in layer if m.isfile()}  # type: ignore[union-attr]
    return files


def _labels(docker: Docker, image: str) -> dict[str, str]:
    shown = run((docker.program, "image", "inspect", "--format", "{{json .Config.Labels}}", image))
    labels: dict[str, str] = json.loads(shown.output)
    return labels


def test_only_what_is_committed_and_not_ignored_ships(docker: Docker, make_shop: MakeShop) -> None:
    shop = make_shop()
    commit = shop.identify()
    shop.write({"web/index.html": "half-finished", "web/.env": "SECRET=1", "web/new.html": "untracked"})
    built = _build(docker, shop, commit, "web")
    assert _contents(docker, built["web"]) == {
        "site/.dockerignore": b"*.md\n",
        "site/Dockerfile": b"FROM scratch\nCOPY . /site/\n",
        "site/index.html": b"committed",
    }


def test_images_are_tagged_and_labelled_with_their_commit(docker: Docker, make_shop: MakeShop) -> None:
    shop = make_shop()
    commit = shop.identify()
    built = _build(docker, shop, commit)
    assert list(built) == ["web", "api"]
    image = inspect_image(docker, f"127.0.0.1:9/{shop.unique}/api:{commit.sha}")
    assert image is not None
    assert image.id == built["api"]
    labels = _labels(docker, built["api"])
    assert labels["greeting"] == "hello"
    assert labels["org.opencontainers.image.revision"] == commit.sha
    assert labels["org.opencontainers.image.created"] == "2026-11-21T06:20:00Z"
    assert labels["org.opencontainers.image.source"] == "https://example.com/shop.git"
    assert {subject for subject, _ in shop.told.lived} == {"web", "api"}


def test_the_same_commit_built_again_comes_from_the_cache(docker: Docker, make_shop: MakeShop) -> None:
    shop = make_shop()
    commit = shop.identify()
    assert _build(docker, shop, commit) == _build(docker, shop, commit)


def test_uncommitted_changes_ship_when_allowed_and_ignore_files_still_count(
    docker: Docker, make_shop: MakeShop
) -> None:
    shop = make_shop()
    shop.write({"web/index.html": "half-finished"})
    commit = shop.identify(allow_dirty=True)
    built = _build(docker, shop, commit, "web")
    files = _contents(docker, built["web"])
    assert files["site/index.html"] == b"half-finished"
    assert "site/notes.md" not in files
    image = inspect_image(docker, f"127.0.0.1:9/{shop.unique}/web:{commit.sha}-dirty-{commit.dirty}")
    assert image is not None
    assert image.id == built["web"]


def test_a_failed_build_shows_its_whole_output(docker: Docker, make_shop: MakeShop) -> None:
    shop = make_shop()
    commit = shop.commit({"web/Dockerfile": "FROM scratch\nCOPY index.html /\nCOPY nowhere.txt /\n"})
    with pytest.raises(FailedBefore) as caught:
        _build(docker, shop, commit, "web")
    assert caught.value.message == "web: the build of Dockerfile failed with exit code 1"
    shown = "\n".join(line for line in shop.told.lines if line.startswith("web: "))
    assert "COPY index.html" in shown
    assert "nowhere.txt" in shown
    assert inspect_image(docker, f"127.0.0.1:9/{shop.unique}/web:{commit.sha}") is None


def test_a_failed_build_ends_the_others(docker: Docker, make_shop: MakeShop, tmp_path: Path) -> None:
    """Here `api` hangs, and `web` fails as soon as it does."""
    shop = make_shop()
    program, pids = tmp_path / "slow" / "docker", tmp_path / "pids"
    lines = [
        "#!/bin/sh",
        f'case "$*" in *api.Dockerfile*) echo $$ > {pids}; exec sleep 60;; esac',
        f"until [ -s {pids} ]; do sleep 0.02; done",
        f'exec {docker.program} "$@"',
    ]
    program.parent.mkdir()
    program.write_text("\n".join(lines))
    program.chmod(0o755)
    commit = shop.commit({"web/Dockerfile": "FROM scratch\nCOPY nowhere.txt /\n"})
    began = time.monotonic()
    with pytest.raises(FailedBefore, match="web: the build"):
        _build(replace(docker, program=str(program)), shop, commit)
    assert time.monotonic() - began < 20
    assert not Path(f"/proc/{pids.read_text().strip()}/cmdline").exists()


def test_a_foreign_platform_is_built_as_such(docker: Docker, make_shop: MakeShop) -> None:
    other = _other_platform(docker)
    shop = make_shop(web=f'platform = "{other}"')
    image = inspect_image(docker, _build(docker, shop, shop.identify(), "web")["web"])
    assert image is not None
    assert image.platform.startswith(other)


def test_the_classic_builders_image_of_the_wrong_platform_is_not_taken(docker: Docker, make_shop: MakeShop) -> None:
    """It uses a base image of the engine's own platform and ends with 0."""
    other = _other_platform(docker)
    shop = make_shop(web=f'platform = "{other}"')
    _build(docker, shop, shop.identify(), "api")
    base = f"127.0.0.1:9/{shop.unique}/api:{shop.identify().sha}"
    commit = shop.commit({"web/Dockerfile": f"FROM {base}\nCOPY index.html /\n"})
    with pytest.raises(FailedBefore, match=f"asked for {other}, but the classic builder made {docker.engine_platform}"):
        _build(replace(docker, builder=Builder.CLASSIC, attestations=False), shop, commit, "web")


def _other_platform(docker: Docker) -> str:
    return "linux/amd64" if docker.engine_platform.startswith("linux/arm64") else "linux/arm64"


@pytest.mark.parametrize("value", ["hush-hush-token", "hush-hush-token\n", "-----BEGIN KEY-----\nhush-hush-token\n}\n"])
def test_a_build_secret_is_in_no_image_no_argument_and_no_output(
    docker: Docker, make_shop: MakeShop, value: str
) -> None:
    if docker.builder is Builder.CLASSIC:
        pytest.skip("the classic builder refuses build secrets: test_build_arguments.py")
    shop = make_shop(web='build_secrets = { token = "SHOP_TOKEN" }')
    commit = shop.commit({"web/Dockerfile": "FROM scratch\nCOPY index.html /hush-hush-token\nCOPY nowhere /\n"})
    environment = {**os.environ, "SHOP_TOKEN": value}
    with pytest.raises(FailedBefore):
        _build(docker, shop, commit, "web", environment=environment)
    assert "id=token,env=SHOP_TOKEN" in shop.told.commands[0]
    said = f"{shop.told.commands} {shop.told.lines} {shop.told.lived}"
    assert "hush-hush-token" not in said
    assert "COPY index.html /***" in said


def test_a_build_reads_a_secret_that_is_in_no_layer_and_no_history(docker: Docker, make_shop: MakeShop) -> None:
    if docker.builder is Builder.CLASSIC:
        pytest.skip("the classic builder refuses build secrets: test_build_arguments.py")
    shop = make_shop(web='build_secrets = { token = "SHOP_TOKEN" }')
    read = "import os; print(len(open('/run/secrets/token').read()), file=open('/length', 'w'))"
    lines = [f"FROM {images.python_base(lambda _: None)}", f'RUN --mount=type=secret,id=token python3 -c "{read}"']
    commit = shop.commit({"web/Dockerfile": "\n".join(lines)})
    secret = f"hush-{uuid4().hex}"
    built = _build(docker, shop, commit, "web", environment={**os.environ, "SHOP_TOKEN": secret})
    files = _contents(docker, built["web"])
    assert files["length"] == b"37\n"  # it was there for the program
    assert not any(secret.encode() in content for content in files.values())
    described = run((docker.program, "image", "inspect", built["web"])).output
    described += run((docker.program, "history", "--no-trunc", built["web"])).output
    assert secret not in described


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedEcr]:
    with Simulator() as sim:
        monkeypatch.setenv("AWS_ENDPOINT_URL", sim.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield SimulatedEcr(sim)


@pytest.fixture
def registry(simulated: SimulatedEcr) -> Iterator[Registry]:
    with Registry("simulated", simulated.put) as running:
        yield running


def _push(docker: Docker, shop: Shop, commit: Commit, built: dict[str, str] | None = None) -> Any:
    return push_images(docker, shop.world(), shop.configuration, _wanted(shop, commit), built)


def test_pushed_images_are_in_ecr_as_they_were_built(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr, registry: Registry
) -> None:
    shop = make_shop(registry=registry.host)
    simulated.create(shop.configuration)
    commit = shop.identify()
    built = _build(docker, shop, commit)
    images = _push(docker, shop, commit, built)
    assert list(images) == ["web", "api"]
    assert images["web"].config_digest == built["web"]
    assert registry.refused > 0  # it does ask for the login


def test_the_push_leaves_no_token_behind(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr, registry: Registry, tmp_path: Path
) -> None:
    shop = make_shop(registry=registry.host)
    simulated.create(shop.configuration)
    user = tmp_path / "docker-config"
    user.mkdir()
    (user / "config.json").write_text("{}")
    environment = {**os.environ, "DOCKER_CONFIG": str(user)}
    commit = shop.identify()
    _build(docker, shop, commit)
    wanted = _wanted(shop, commit, "web")
    push_images(docker, shop.world(environment), shop.configuration, wanted)
    assert (user / "config.json").read_text() == "{}"
    assert not any("simulated" in " ".join(argv) for argv in shop.told.commands)


def test_somebody_elses_faster_push_of_the_same_commit_is_taken(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr, registry: Registry
) -> None:
    shop = make_shop(registry=registry.host)
    simulated.create(shop.configuration)
    commit = shop.identify()
    built = _build(docker, shop, commit)
    theirs: dict[str, str] = {}

    def be_faster(repository: str, tag: str) -> None:
        theirs[repository] = simulated.sim.ecr.push(repository, tag)

    simulated.before_put = be_faster
    images = _push(docker, shop, commit, built)
    assert images["web"].digest == theirs[f"{shop.unique}/web"]
    assert any("pushed by another run" in warning for warning in shop.told.warnings)


def test_an_image_that_was_tagged_anew_after_the_build_is_not_released(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr, registry: Registry
) -> None:
    shop = make_shop(registry=registry.host)
    simulated.create(shop.configuration)
    commit = shop.identify()
    built = _build(docker, shop, commit)
    with pytest.raises(FailedBefore, match=r"but sha256:0{64} was built"):
        _push(docker, shop, commit, {**built, "web": "sha256:" + "0" * 64})


def test_a_push_of_nothing_says_what_to_run(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr, registry: Registry
) -> None:
    shop = make_shop(registry=registry.host)
    simulated.create(shop.configuration)
    with pytest.raises(FailedBefore) as caught:
        _push(docker, shop, shop.identify())
    assert "deploykit build web" in caught.value.hint


def test_a_registry_out_of_reach_is_said_to_be_that(
    docker: Docker, make_shop: MakeShop, simulated: SimulatedEcr
) -> None:
    shop = make_shop(registry="127.0.0.1:9")
    simulated.create(shop.configuration)
    commit = shop.identify()
    built = _build(docker, shop, commit)
    with pytest.raises(OutOfReach, match=r"the registry 127\.0\.0\.1:9 is not reachable"):
        _push(docker, shop, commit, built)
