"""Runs that are repeated, killed or interrupted."""

from __future__ import annotations

import json

import pytest

from tests.flow.world import Json, World, healthy, sick


def entries(world: World) -> list[Json]:
    objects = world.sim.s3.buckets["shop-state"]
    return [json.loads(objects[key].body) for key in sorted(objects) if key.startswith("dev/releases/")]


def test_an_interrupted_release_goes_on_in_its_own_entry_against_its_own_baseline(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", healthy(start=60.0))

    done = world.interrupted(40, "deploy")
    assert "is on its way to dev-api:3" in done.people
    assert "deploykit deploy" in done.people
    assert done.document["outcome"] == "interrupted"
    assert done.document["services"]["api"]["task_definition"].endswith("dev-api:3")
    assert world.run("status").document["drift"] == []
    again = world.run("deploy")
    assert (again.code, again.document["outcome"], again.document["release"]["verdict"]) == (0, "deployed", "healthy")
    kept = entries(world)
    assert len(kept) == 2
    assert (kept[1]["verdict"], kept[1]["outcome"]) == ("healthy", "deployed")
    assert [world.running(key) for key in ("api", "web")] == ["dev-api:3", "dev-web:3"]


def test_a_release_that_goes_on_and_fails_is_put_back_to_before_it_began(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=healthy(start=30.0), web=sick(start=60.0))

    world.interrupted(130, "deploy")
    assert world.running("api") == "dev-api:3"
    again = world.run("deploy")
    assert again.code == 10
    assert [world.running(key) for key in ("api", "web")] == ["dev-api:2", "dev-web:2"]


@pytest.mark.parametrize("good", [True, False])
def test_a_release_interrupted_twice_is_one_release_all_the_same(world: World, good: bool) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=healthy(start=30.0), web=healthy(start=60.0) if good else sick(start=60.0))

    for seconds in (40, 90):  # while the first service rolls out, then while the second does
        world.interrupted(seconds, "deploy")
    assert [world.running(key) for key in ("api", "web")] == ["dev-api:3", "dev-web:3"]
    done = world.run("deploy")
    expected = (0, "healthy") if good else (10, "unhealthy")
    assert (done.code, done.document["release"]["verdict"]) == expected, done.people
    (entry,) = entries(world)[1:]
    for revision in ("dev-api:3", "dev-web:3"):
        tags = world.sim.ecs.describe_task_definition({"taskDefinition": revision, "include": ["TAGS"]})["tags"]
        known = {tag["key"]: tag["value"] for tag in tags}
        assert (known["deploykit:release"], known["deploykit:verdict"]) == (entry["id"], expected[1]), revision
    runs = ["dev-api:3", "dev-web:3"] if good else ["dev-api:2", "dev-web:2"]
    assert [world.running(key) for key in ("api", "web")] == runs


def test_an_inconclusive_release_is_judged_by_the_next_deploy_of_it(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")
    world.sim.faults.deny("CreateInvalidation", service="cloudfront")
    assert world.run("deploy").code == 12
    world.sim.faults.clear()
    again = world.run("deploy")
    assert (again.code, again.document["outcome"]) == (0, "deployed")
    assert again.count("UpdateService") == 0
    assert again.count("CreateInvalidation") == 1
    assert len(entries(world)) == 2
    assert world.run("deploy").document["outcome"] == "unchanged"


def test_every_release_is_recorded_with_its_evidence_and_in_short_as_tags(world: World) -> None:
    sha = world.commit("first")
    world.run("deploy")
    (entry,) = entries(world)
    assert (entry["schema"], entry["kind"], entry["sha"], entry["verdict"]) == (1, "deploy", sha, "healthy")
    assert entry["by"]
    assert set(entry["baseline"]) == {"api", "home"}
    assert entry["checks"]["api"]["after"]["samples"] >= 18
    (invalidation,) = entry["invalidations"]
    assert invalidation["reference"] == f"deploykit/{entry['id']}/E1SHOP/release/1"
    tags = world.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:2", "include": ["TAGS"]})["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {
        "deploykit:release": entry["id"],
        "deploykit:sha": sha,
        "deploykit:environment": "dev",
        "deploykit:verdict": "healthy",
    }


def test_the_ledger_out_of_reach_after_the_start_is_a_warning_only(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("PutObject", service="s3", skip=1, path="/releases/")
    done = world.run("deploy")
    assert done.code == 0
    assert "ledger" in done.people


@pytest.mark.parametrize("everything_broken", [True, False])
def test_what_failed_before_is_not_held_against_a_release(world: World, everything_broken: bool) -> None:
    for key in ("api", "web") if everything_broken else ("api",):
        world.behave(key, world.services[key].digest, sick())
    world.commit("first", api=sick(), web=sick() if everything_broken else healthy())
    done = world.run("deploy")
    if everything_broken:
        assert (done.code, done.document["outcome"]) == (12, "inconclusive")
    else:
        assert (done.code, done.document["checks"]["api"]["class"]) == (0, "pre-existing")
    assert world.running("api") == "dev-api:2"


def test_a_repair_of_everything_is_a_release_too(world: World) -> None:
    for key, served in world.services.items():
        world.behave(key, served.digest, sick())
    world.commit("first")
    done = world.run("deploy")
    assert (done.code, done.document["release"]["verdict"]) == (0, "healthy")
    assert {check["class"] for check in done.document["checks"].values()} == {"fixed"}


def test_an_endpoint_that_keeps_an_old_version_makes_it_inconclusive_and_is_never_undone(world: World) -> None:
    world.commit("first", web=healthy(answers={"*": (200, {"version": "0" * 40})}))
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (12, "inconclusive")
    assert [finding["id"] for finding in done.document["findings"]] == ["version-not-reported"]
    assert world.running("web") == "dev-web:2"


def test_an_interrupted_rollback_is_continued_by_name_and_goes_no_further_back(world: World) -> None:
    first = world.commit("first")
    world.run("deploy")
    second = world.commit("second")
    world.run("deploy")
    world.commit("third")
    world.run("deploy")

    done = world.interrupted(20, "rollback")
    assert f"deploykit rollback --to {second[:12]}` continues" in done.people
    again = world.run("rollback", "--to", second[:12])
    assert (again.code, {s["sha"] for s in again.document["services"].values()}) == (0, {second})
    assert first != second


def test_a_rollout_by_itself_is_judged_by_the_next_deploy_and_becomes_a_release(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    second = world.commit("second")
    assert world.run("rollout").code == 0
    plan = world.run("plan").document
    assert plan["continues"]
    judged = world.run("deploy")
    assert (judged.code, judged.document["release"]["verdict"]) == (0, "healthy"), judged.people
    assert [call for call in judged.calls if call in ("RegisterTaskDefinition", "UpdateService")] == []
    newest, _ = world.run("history").document["releases"]
    assert (newest["id"], newest["kind"], newest["verdict"]) == (plan["continues"], "deploy", "healthy")
    world.commit("third")
    world.run("deploy")
    assert world.run("rollback").document["release"]["sha"] == second


def test_a_rollout_by_itself_that_answers_wrongly_is_put_back_by_the_deploy_that_judges_it(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    before = world.running("api"), world.running("web")
    world.commit("second", api=sick())
    assert world.run("rollout").code == 0
    judged = world.run("deploy")
    assert (judged.code, judged.document["outcome"]) == (10, "rolled_back"), judged.people
    assert "no baseline was taken before this release began" in judged.people
    assert (world.running("api"), world.running("web")) == before
