"""Going back: to what was proven, from the ledger or from tags alone, and never to and fro."""

from __future__ import annotations

import pytest

from tests.flow.world import World, crashing, sick


def test_a_rollback_goes_to_the_last_verified_release_with_all_services_and_caches(world: World) -> None:
    first, second = world.released("first", "second")
    done = world.run("rollback", "--reason", "prices are wrong")
    assert (done.code, done.document["outcome"]) == (0, "rolled_back")
    assert done.document["release"]["sha"] == first
    assert done.document["release"]["previous_sha"] == second
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": first, "web": first}
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")
    assert done.count("RegisterTaskDefinition") == 0
    assert done.count("CreateInvalidation") == 1
    newest = world.run("history").document["releases"][0]
    assert (newest["kind"], newest["sha"], newest["reason"]) == ("rollback", first, "prices are wrong")


def test_two_rollbacks_in_a_row_go_two_verified_releases_back(world: World) -> None:
    first, second, _ = world.released("first", "second", "third")
    assert world.run("rollback").document["release"]["sha"] == second
    assert world.run("rollback").document["release"]["sha"] == first
    done = world.run("rollback")
    assert done.code == 5
    assert "no verified release" in done.people
    assert world.running("api") == "dev-api:2"


def test_a_release_that_was_put_back_is_never_gone_to(world: World) -> None:
    (first,) = world.released("first")
    world.commit("crashes", api=crashing())
    assert world.run("deploy").code == 10
    world.released("third")
    assert world.run("rollback").document["release"]["sha"] == first


def test_without_a_verified_release_the_candidates_are_offered_and_none_is_guessed(world: World) -> None:
    first = world.commit("first", sick())
    world.run("deploy", "--no-rollback")
    world.commit("second", sick())
    world.run("deploy", "--no-rollback")
    done = world.run("rollback")
    assert done.code == 5
    assert f"deploykit rollback --to {first[:12]}" in done.people
    assert world.running("api") == "dev-api:3"
    named = world.run("rollback", "--to", first[:10])
    assert named.document["release"]["sha"] == first
    assert world.running("api") == "dev-api:2"


@pytest.mark.parametrize("state", ["gone", "never configured"])
def test_a_rollback_works_from_tags_alone(world: World, state: str) -> None:
    if state == "never configured":
        world.without_state()
    first, second, _ = world.released("first", "second", "third")
    if state == "gone":
        world.sim.faults.deny("ListObjectsV2", service="s3")
        world.sim.faults.deny("PutObject", service="s3")
    done = world.run("rollback")
    assert (done.code, done.document["release"]["sha"]) == (0, second)
    assert world.run("rollback").document["release"]["sha"] == first
    assert world.run("rollback").code == 5


def test_a_deregistered_revision_is_registered_again(world: World) -> None:
    first, _ = world.released("first", "second")
    world.sim.ecs.deregister_task_definition({"taskDefinition": "dev-api:2"})
    world.sim.clock.advance(3600)
    done = world.run("rollback")
    assert (done.code, done.document["services"]["api"]["sha"]) == (0, first)
    assert world.running("api") == "dev-api:4"
    assert done.count("RegisterTaskDefinition") == 1


def test_what_a_rollback_leaves_is_withdrawn_and_deployed_again_only_when_insisted_on(world: World) -> None:
    first, second = world.released("first", "second")
    world.run("rollback", "--reason", "prices")
    rollback, left, _ = world.run("history").document["releases"]
    assert (left["verdict"], left["withdrawn"]) == ("healthy", rollback["id"])
    done = world.run("deploy")
    assert done.code == 4
    assert second[:7] in done.people
    assert "--allow-withdrawn" in done.people
    assert world.run("deploy", "--allow-withdrawn").code == 0
    assert world.run("rollback").document["release"]["sha"] == first


def test_a_rollback_that_is_not_healthy_ends_11_and_is_not_undone(world: World) -> None:
    first = world.commit("first")
    assert world.run("deploy").code == 0
    world.released("second")
    for key in world.services:
        content = world.sim.ecs.describe_task_definition({"taskDefinition": f"dev-{key}:2"})["taskDefinition"]
        world.sim.image(content["containerDefinitions"][0]["image"].partition("@")[2], sick())
    done = world.run("rollback")
    assert (done.code, done.document["outcome"], done.document["release"]["verdict"]) == (
        11,
        "rolled_back",
        "unhealthy",
    )
    assert done.document["release"]["sha"] == first
    assert world.running("api") == "dev-api:2"


def test_one_service_alone_can_go_back(world: World) -> None:
    first, second = world.released("first", "second")
    done = world.run("rollback", "api")
    assert done.code == 0
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": first, "web": second}


def test_an_unknown_target_is_5(world: World) -> None:
    world.released("first", "second")
    done = world.run("rollback", "--to", "0123abc")
    assert done.code == 5
    assert "0123abc" in done.people


def test_what_was_withdrawn_by_tag_alone_is_not_gone_to_when_the_ledger_is_back(world: World) -> None:
    first, _ = world.released("first", "second")
    ids = {entry["sha"]: entry["id"] for entry in world.run("history").document["releases"]}
    world.sim.faults.deny("ListObjectsV2", service="s3")
    world.sim.faults.deny("PutObject", service="s3")
    assert world.run("rollback").document["release"]["sha"] == first
    world.sim.faults.clear()
    world.commit("third")
    done = world.run("deploy")
    assert (done.code, done.document["way_back"]["release"]) == (0, ids[first])
    back = world.run("rollback")
    assert (back.code, back.document["release"]["sha"]) == (0, first)


def test_what_cannot_go_back_by_itself_is_not_told_to(world: World) -> None:
    sha = world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second")
    assert world.run("deploy").code == 0
    for key in ("api", "web"):
        image = world.sim.ecr.repositories[f"shop/{key}"].find({"imageTag": sha})
        assert image is not None
        world.sim.image(image.digest, sick())
    done = world.run("rollback")
    assert (done.code, done.document["way_back"]["ready"]) == (11, False)
    hint = done.people.splitlines()[-1]
    assert "`deploykit rollback` goes back" not in hint
    assert hint.startswith("  → `deploykit history` lists the releases, `deploykit rollback --to SHA` goes to one")


def test_a_first_release_that_is_left_unhealthy_is_not_told_to_go_back(world: World) -> None:
    world.commit("first", web=sick())
    done = world.run("deploy", "--no-rollback")
    assert (done.code, done.document["way_back"]["ready"]) == (11, False)
    assert "`deploykit rollback` goes back" not in done.document["error"]["hint"]
    assert "`deploykit rollback --to SHA` goes to one you name" in done.document["error"]["hint"]
