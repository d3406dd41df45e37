"""`build` and `push` by themselves, with a real Docker Engine: what `deploy` would do, one step at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.engine_shop import EngineShop, docker_ran, engine_shop
from tests.flow.world import Done

pytestmark = pytest.mark.sandbox


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineShop]:
    with engine_shop(tmp_path / "shop", monkeypatch) as shop:
        yield shop


def step(done: Done, name: str) -> str:
    return next(str(each["status"]) for each in done.document["steps"] if each["name"] == name)


def test_what_build_made_push_brings_without_building_again_and_deploy_takes_it(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    built = world.run("build")
    assert (built.code, built.document["outcome"], built.changing) == (0, "deployed", [])
    assert (made.tags("shop/api"), made.content_tags("shop/api")) == (["first"], [])
    pushed = world.run("push")
    assert pushed.code == 0, pushed.people
    assert "docker build" not in pushed.people
    assert sha in made.tags("shop/api")
    assert len(made.content_tags("shop/api")) == 1
    assert world.running("api") == "dev-api:1"
    done = world.run("deploy")
    assert (done.code, docker_ran(done)) == (0, 0)
    digests = {key: service["digest"] for key, service in pushed.document["services"].items()}
    assert {key: service["digest"] for key, service in done.document["services"].items()} == digests


def test_what_the_registry_has_by_content_is_neither_built_nor_pushed_for_another_commit(made: EngineShop) -> None:
    world = made.world
    made.committed("api", "web")
    assert world.run("deploy").code == 0
    made.committed()  # another commit, the same files
    for command in ("build", "push"):
        done = world.run(command)
        assert (done.code, done.document["outcome"], docker_ran(done)) == (0, "unchanged", 0)
        assert step(done, command) == "skipped"
        assert "the registry has every image" in done.people


def test_each_step_says_which_one_goes_on_with_the_same_commit_and_services(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    made.committed("web")
    for step_before, step_after in (("build", "push"), ("push", "rollout")):
        done = world.run(step_before, "web", "--sha", sha, "-e", "dev")
        assert done.code == 0, done.people
        assert f"`deploykit {step_after} --env dev web --sha {sha}`" in done.people
    assert world.run("rollout", "web", "--sha", sha).document["services"]["web"]["sha"] == sha


def test_push_without_build_says_what_to_type(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    done = world.run("push", "web")
    assert (done.code, done.changing) == (5, [])
    assert f"deploykit build web --sha {sha[:12]}" in done.document["error"]["hint"]


def test_push_does_not_take_an_image_that_was_made_of_something_else(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    assert world.run("build", "api").code == 0
    made.configured('context = "api"', 'context = "api"\nbuild_args = { COLOUR = "blue" }')
    done = world.run("push", "api", "--sha", sha)
    assert (done.code, made.tags("shop/api")) == (5, ["first"])
    assert "build arguments" in done.document["error"]["message"]
    assert f"deploykit build api --sha {sha[:12]}" in done.document["error"]["hint"]


def test_the_same_commit_with_another_build_argument_is_refused_before_the_build(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    assert world.run("deploy").code == 0
    made.configured('context = "api"', 'context = "api"\nbuild_args = { COLOUR = "blue" }')
    for command in ("build", "push"):
        done = world.run(command, "api", "--sha", sha)
        assert (done.code, docker_ran(done)) == (5, 0)
        assert "build arguments" in done.document["error"]["message"]


def test_a_rebuild_is_pushed_beside_what_it_replaces(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    assert world.run("deploy").code == 0
    missing = world.run("push", "web", "--rebuild")
    assert missing.code == 5
    assert f"deploykit build web --sha {sha[:12]} --rebuild" in missing.document["error"]["hint"]
    built = world.run("build", "web", "--rebuild")
    assert built.code == 0
    line = next(line for line in built.people.splitlines() if "docker build" in line or "buildx build" in line)
    assert "--no-cache" in line
    assert "--pull" in line
    assert "`deploykit push web --rebuild`" in built.people
    assert world.run("push", "web", "--rebuild").code == 0
    assert f"{sha}-r1" in made.tags("shop/web")
    first, second = sorted(made.content_tags("shop/web"))
    assert second == f"{first}-r1"


def test_an_image_that_no_service_runs_is_built_and_pushed_and_nothing_else(made: EngineShop) -> None:
    world = made.world
    (world.folder / "jobs").mkdir()
    (world.folder / "jobs" / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    world.sim.ecr.create_repository({"repositoryName": "shop/jobs", "imageTagMutability": "IMMUTABLE"})
    made.configured("[cdn.site]", '[services.jobs]\ncontext = "jobs"\nrepository = "shop/jobs"\n\n[cdn.site]')
    sha = made.committed("api", "web", "jobs")
    done = world.run("deploy")
    assert done.code == 0, done.people
    assert sha in made.tags("shop/jobs")
    assert set(done.document["services"]) == {"api", "web"}
    changed = made.committed("jobs")
    plan = world.run("plan").document
    assert (plan["outcome"], plan["services"]["jobs"]["action"]) == ("changes", "build")
    assert world.run("deploy").code == 0
    assert changed in made.tags("shop/jobs")
    assert world.running("api") == "dev-api:2"  # what did not change is not rolled out


def test_services_that_share_an_image_run_the_one_that_was_built_once(made: EngineShop) -> None:
    world = made.world
    made.configured('context = "web"\nrepository = "shop/web"', 'image = "api"')
    sha = made.committed("api")
    done = world.run("deploy")
    assert done.code == 0, done.people
    assert docker_ran(done) == 2  # one build, one push
    services = done.document["services"]
    assert services["api"]["digest"] == services["web"]["digest"]
    assert sha in made.tags("shop/api")
    assert sha not in made.tags("shop/web")


@pytest.mark.parametrize(
    ("there", "not_yet"), [('service = "dev-api"', 'service = "later"'), ('cluster = "dev"', 'cluster = "later"')]
)
def test_the_first_images_are_built_and_pushed_before_there_is_something_to_run_them(
    made: EngineShop, there: str, not_yet: str
) -> None:
    world = made.world
    made.committed("api", "web")
    made.configured(there, not_yet)
    made.committed()
    assert world.run("deploy").code == 5
    assert world.run("build").code == 0
    assert world.run("push").code == 0
    assert len(made.content_tags("shop/api")) == 1
