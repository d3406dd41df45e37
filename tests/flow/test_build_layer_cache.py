"""Layers kept in the registry between machines, by a real Docker Engine; nothing about them can fail a build."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.edges.docker import Builder, find_docker
from tests.flow.engine_shop import EngineShop, engine_shop, remove_images
from tests.flow.world import Done

pytestmark = pytest.mark.sandbox
KEPT = "shop-api-linux-amd64"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineShop]:
    if find_docker().builder is Builder.CLASSIC:
        pytest.skip("the classic builder keeps no cache: tests/wire/test_build_cache.py")
    with engine_shop(tmp_path / "shop", monkeypatch) as shop:
        shop.configured("[cdn.site]", '[build]\ncache = "registry:shop/cache"\n\n[cdn.site]')
        for key in ("api", "web"):
            shop.configured(f'context = "{key}"', f'context = "{key}"\nplatform = "linux/amd64"')
        yield shop


def make_repository(made: EngineShop) -> None:
    made.world.sim.ecr.create_repository({"repositoryName": "shop/cache", "imageTagMutability": "MUTABLE"})


def about_the_cache(done: Done) -> list[str]:
    return [line for line in done.people.splitlines() if "layer cache" in line]


def test_a_build_leaves_its_layers_in_the_registry_and_the_next_one_reads_them_there(made: EngineShop) -> None:
    make_repository(made)
    made.committed("api", "web")
    first = made.world.run("deploy")
    assert first.code == 0, first.people
    assert len(about_the_cache(first)) == 1  # what this builder cannot keep, once for both images
    assert made.tags("shop/cache") == [KEPT, "shop-web-linux-amd64"]
    manifest, _ = made.registry.manifests["shop/cache", KEPT]
    settings = json.loads(made.registry.blobs[json.loads(manifest)["config"]["digest"]])
    assert "moby.buildkit.cache.v0" in settings
    made.registry.read.clear()
    made.committed("api", "web")
    second = made.world.run("deploy")
    assert second.code == 0, second.people
    assert [path for path in made.registry.read if path.startswith("/v2/shop/cache/manifests/")]
    moved, _ = made.registry.manifests["shop/cache", KEPT]
    assert moved != manifest


def test_the_cache_leaves_no_image_of_its_own_on_the_engine(made: EngineShop) -> None:
    make_repository(made)
    made.committed("api")
    assert made.world.run("build", "api").code == 0
    listed = remove_images(f"{made.registry.host}/shop/cache")
    assert listed == []


def test_without_its_repository_the_build_goes_on_and_says_what_to_type(made: EngineShop) -> None:
    made.committed("api", "web")
    done = made.world.run("build")
    assert done.code == 0, done.people
    (line,) = about_the_cache(done)
    assert "aws ecr create-repository --repository-name shop/cache --image-tag-mutability MUTABLE" in line
    assert "cache-from" not in done.people


def test_a_cache_that_cannot_be_written_is_a_warning(made: EngineShop) -> None:
    make_repository(made)
    take = made.registry.put
    made.registry.put = lambda repository, *more: "denied" if repository == "shop/cache" else take(repository, *more)
    made.committed("api", "web")
    done = made.world.run("deploy")
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    assert [line for line in about_the_cache(done) if "denied" in line]


def test_an_image_that_is_built_afresh_is_read_from_no_cache_and_kept_for_the_next(made: EngineShop) -> None:
    make_repository(made)
    made.committed("api", "web")
    assert made.world.run("deploy").code == 0
    made.registry.read.clear()
    done = made.world.run("deploy", "api", "--rebuild")
    assert done.code == 0, done.people
    assert "cache-from" not in done.people
    assert not [path for path in made.registry.read if path.startswith("/v2/shop/cache/")]
