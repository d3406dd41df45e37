"""Nothing is built twice: real builds, a registry with ECR's login, whole commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.bench_calls import ALLOWED_CALLS, kinds
from tests.flow.engine_shop import EngineShop, docker_ran, engine_shop

pytestmark = pytest.mark.sandbox


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineShop]:
    with engine_shop(tmp_path / "shop", monkeypatch) as shop:
        yield shop


def test_a_commit_that_touches_only_one_service_leaves_the_other_as_it_is(made: EngineShop) -> None:
    world = made.world
    first = made.committed("api", "web")
    assert world.run("deploy").code == 0
    before = made.tags("shop/api")
    second = made.committed("web")
    plan = world.run("plan").document["services"]
    assert (plan["api"]["action"], plan["web"]["action"]) == ("keep", "build")
    with world.sim.recording() as calls:
        done = world.run("deploy")
    assert done.code == 0, done.people
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": first, "web": second}
    assert made.tags("shop/api") == before
    assert world.running("api") == "dev-api:2"
    assert [c.params["family"] for c in calls if c.operation == "RegisterTaskDefinition"] == ["dev-web"]
    assert done.document["checks"]["api"]["class"] == "ok"


def test_a_release_of_two_services_that_are_built_costs_at_most_45_calls_besides_polling(made: EngineShop) -> None:
    made.committed("api", "web")
    made.world.run("deploy")
    made.committed("api", "web")
    with made.world.sim.recording() as calls:
        done = made.world.run("deploy")
    # what docker pushes is put into the simulated ECR by a call, too
    pushed = [c for c in calls if c.operation == "PutImage" and not c.params["imageTag"].startswith("content-")]
    assert (done.code, docker_ran(done), len(pushed)) == (0, 4, 2)
    assert kinds([call for call in calls if call not in pushed])["call"] <= ALLOWED_CALLS


def test_a_commit_that_touches_no_service_is_unchanged_and_leaves_no_entry(made: EngineShop) -> None:
    world = made.world
    made.committed("api", "web")
    world.run("deploy")
    releases = world.run("history").document["releases"]
    made.committed()
    done = world.run("deploy")
    assert (done.code, done.document["outcome"], done.changing, docker_ran(done)) == (0, "unchanged", [], 0)
    assert world.run("history").document["releases"] == releases


def test_uncommitted_changes_of_one_service_leave_the_others_as_they_are(made: EngineShop) -> None:
    world = made.world
    first = made.committed("api", "web")
    assert world.run("deploy").code == 0
    (world.folder / "web" / "page.html").write_text("half finished")
    plan = world.run("plan", "--allow-dirty").document["services"]
    assert (plan["api"]["action"], plan["web"]["action"]) == ("keep", "build")
    done = world.run("deploy", "--allow-dirty")
    assert done.code == 0, done.people
    shas = {key: service["sha"] for key, service in done.document["services"].items()}
    assert shas == {"api": first, "web": done.document["release"]["sha"]}
    assert shas["web"].startswith(f"{first}-dirty-")
    assert world.running("api") == "dev-api:2"


def test_uncommitted_content_built_afresh_stays_and_can_be_built_afresh_again(made: EngineShop) -> None:
    world = made.world
    made.committed("api", "web")
    (world.folder / "web" / "page.html").write_text("half finished")
    first = world.run("deploy", "--allow-dirty", "web").document
    fresh = world.run("deploy", "--allow-dirty", "--rebuild", "web").document["services"]["web"]["digest"]
    assert fresh != first["services"]["web"]["digest"]
    again = world.run("deploy", "--allow-dirty", "web")
    assert (again.code, again.document["outcome"], docker_ran(again)) == (0, "unchanged", 0)
    assert again.document["services"]["web"]["digest"] == fresh
    more = world.run("deploy", "--allow-dirty", "--rebuild", "web")
    assert (more.code, "meanwhile" in more.people) == (0, False)
    assert more.document["services"]["web"]["digest"] not in (fresh, first["services"]["web"]["digest"])
    dirty = first["release"]["sha"]
    assert {f"{dirty}-r1", f"{dirty}-r2"} <= set(made.tags("shop/web"))


def test_content_that_comes_back_is_tagged_once_more_and_not_built(made: EngineShop) -> None:
    world = made.world
    made.committed("api", "web")
    world.run("deploy")
    first = (world.folder / "web" / "page.html").read_text()
    made.committed("web")
    world.run("deploy")
    (world.folder / "web" / "page.html").write_text(first)
    reverted = made.committed()
    done = world.run("deploy")
    assert (done.code, docker_ran(done)) == (0, 0)
    assert done.document["services"]["web"]["sha"] == reverted
    assert reverted in made.tags("shop/web")
    assert reverted not in made.tags("shop/api")


def test_the_same_commit_with_another_build_argument_is_refused_by_name(made: EngineShop) -> None:
    world = made.world
    made.committed("api", "web")
    assert world.run("deploy").code == 0
    made.configured('context = "api"', 'context = "api"\nbuild_args = { COLOUR = "blue" }')
    done = world.run("deploy", "--sha", "HEAD")
    assert done.code == 5
    assert "build_args" in done.people
    assert "api" in done.people


def test_build_arguments_that_look_like_secrets_are_refused_with_the_right_way(made: EngineShop) -> None:
    world = made.world
    made.configured('context = "api"', 'context = "api"\nbuild_args = { NPM_TOKEN = "x1" }')
    made.committed("api", "web")
    plan = world.run("plan")
    assert (plan.code, "x1" in str(plan.document)) == (0, False)
    assert [text for text in plan.document["refusals"] if "NPM_TOKEN" in text and "build_secrets" in text]
    done = world.run("deploy")
    assert (done.code, docker_ran(done), done.changing) == (5, 0, [])
    assert "build_secrets" in done.people
    assert "x1" not in done.people


def test_a_rebuild_gets_a_tag_of_its_own_which_the_content_means_from_then_on(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    world.run("deploy")
    old = world.run("status").document["services"]["web"]["digest"]
    done = world.run("deploy", "--rebuild", "web")
    assert done.code == 0, done.people
    assert f"{sha}-r1" in made.tags("shop/web")
    fresh = world.run("status").document["services"]["web"]["digest"]
    assert any("--no-cache" in line for line in done.people.splitlines())
    again = world.run("deploy")
    assert (again.code, again.document["outcome"]) == (0, "unchanged")
    assert world.run("status").document["services"]["web"]["digest"] == fresh != old


def test_the_same_content_that_another_run_pushed_meanwhile_is_taken(made: EngineShop) -> None:
    world = made.world
    sha = made.committed("api", "web")
    content = next(tag for tag in world.run("plan").document["services"]["api"]["tags"] if tag != sha)
    ours, theirs = made.registry.put, []

    def put(repository: str, tag: str, manifest: bytes, kind: str) -> str | None:
        if repository == "shop/api":
            theirs.append(world.sim.ecr.push(repository, content))
        return ours(repository, tag, manifest, kind)

    made.registry.put = put
    done = world.command("deploy")
    assert done.code == 0, done.people
    assert [done.document["services"]["api"]["digest"]] == theirs
    assert "another run has pushed the same content meanwhile" in done.people
    again = world.run("deploy")
    assert (again.code, again.document["outcome"], docker_ran(again)) == (0, "unchanged", 0)
