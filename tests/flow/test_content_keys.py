"""Nothing is built twice: real builds, a registry with ECR's login, whole commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.registry import Registry, SimulatedEcr
from tests.flow.world import Done, World, healthy, shop

pytestmark = pytest.mark.sandbox


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A shop whose registry is in reach of a real Docker Engine; every image behaves well."""
    with (
        shop(tmp_path / "shop", monkeypatch) as made,
        Registry("simulated", SimulatedEcr(made.sim).put) as registry,
    ):
        made.environ["DEPLOYKIT_REGISTRY"] = registry.host
        made.sim.default_behaviour = healthy()
        yield made


def committed(world: World, *folders: str) -> str:
    for folder in folders:
        file = world.folder / folder / "page.html"
        file.write_text(f"{file.read_text() if file.exists() else ''}more")
    world.git("add", "-A")
    world.git("commit", "--allow-empty", "-qm", f"change {', '.join(folders) or 'nothing'}")
    return world.git("rev-parse", "HEAD")


def tags(world: World, repository: str) -> list[str]:
    answer = world.sim.ecr.describe_images({"repositoryName": repository})
    return sorted(tag for detail in answer["imageDetails"] for tag in detail.get("imageTags", ()))


def docker_ran(done: Done) -> int:
    return sum("docker build" in line or "docker push" in line for line in done.people.splitlines())


def test_a_commit_that_touches_only_one_service_leaves_the_other_as_it_is(world: World) -> None:
    first = committed(world, "api", "web")
    assert world.run("deploy").code == 0
    before = tags(world, "shop/api")
    second = committed(world, "web")
    plan = world.run("plan").document["services"]
    assert (plan["api"]["action"], plan["web"]["action"]) == ("keep", "build")
    with world.sim.recording() as calls:
        done = world.run("deploy")
    assert done.code == 0, done.people
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": first, "web": second}
    assert tags(world, "shop/api") == before
    assert world.running("api") == "dev-api:2"
    assert [c.params["family"] for c in calls if c.operation == "RegisterTaskDefinition"] == ["dev-web"]
    assert done.document["checks"]["api"]["class"] == "ok"


def test_a_commit_that_touches_no_service_is_unchanged_and_leaves_no_entry(world: World) -> None:
    committed(world, "api", "web")
    world.run("deploy")
    releases = world.run("history").document["releases"]
    committed(world)
    done = world.run("deploy")
    assert (done.code, done.document["outcome"], done.changing, docker_ran(done)) == (0, "unchanged", [], 0)
    assert world.run("history").document["releases"] == releases


def test_content_that_comes_back_is_tagged_once_more_and_not_built(world: World) -> None:
    committed(world, "api", "web")
    world.run("deploy")
    first = (world.folder / "web" / "page.html").read_text()
    committed(world, "web")
    world.run("deploy")
    (world.folder / "web" / "page.html").write_text(first)
    reverted = committed(world)
    done = world.run("deploy")
    assert (done.code, docker_ran(done)) == (0, 0)
    assert done.document["services"]["web"]["sha"] == reverted
    assert reverted in tags(world, "shop/web")
    assert reverted not in tags(world, "shop/api")


def test_the_same_commit_with_another_build_argument_is_refused_by_name(world: World) -> None:
    committed(world, "api", "web")
    assert world.run("deploy").code == 0
    text = (world.folder / "deploykit.toml").read_text()
    changed = text.replace('context = "api"', 'context = "api"\nbuild_args = { COLOUR = "blue" }')
    (world.folder / "deploykit.toml").write_text(changed)
    done = world.run("deploy", "--sha", "HEAD")
    assert done.code == 5
    assert "build_args" in done.people
    assert "api" in done.people


def test_build_arguments_that_look_like_secrets_are_refused_with_the_right_way(world: World) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    changed = text.replace('context = "api"', 'context = "api"\nbuild_args = { NPM_TOKEN = "x1" }')
    (world.folder / "deploykit.toml").write_text(changed)
    committed(world, "api", "web")
    done = world.run("deploy")
    assert done.code == 5
    assert "build_secrets" in done.people
    assert "x1" not in done.people


def test_a_rebuild_gets_a_tag_of_its_own_which_the_content_means_from_then_on(world: World) -> None:
    sha = committed(world, "api", "web")
    world.run("deploy")
    old = world.run("status").document["services"]["web"]["digest"]
    done = world.run("deploy", "--rebuild", "web")
    assert done.code == 0, done.people
    assert f"{sha}-r1" in tags(world, "shop/web")
    fresh = world.run("status").document["services"]["web"]["digest"]
    assert any("--no-cache" in line for line in done.people.splitlines())
    again = world.run("deploy")
    assert (again.code, again.document["outcome"]) == (0, "unchanged")
    assert world.run("status").document["services"]["web"]["digest"] == fresh != old
