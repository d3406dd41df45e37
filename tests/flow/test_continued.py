"""What a run that was cut off leaves: what `status` tells of it, and what the next command makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.flow.migrations import change_schema, migrating_shop
from tests.flow.test_lease import entries, taken_over
from tests.flow.world import World, crashing, healthy, sick


def revisions(world: World, family: str) -> int:
    return len(world.sim.state.definitions[family])


def tags(world: World, revision: str) -> dict[str, str]:
    found = world.sim.ecs.describe_task_definition({"taskDefinition": revision, "include": ["TAGS"]})["tags"]
    return {tag["key"]: tag["value"] for tag in found}


# -- status ------------------------------------------------------------------------------------------------------------


def test_status_after_an_interrupted_undo_tells_it_and_names_no_release_that_does_not_run(world: World) -> None:
    world.released("first", "second")
    third = world.commit("third", web=crashing())
    world.interrupted(70, "deploy")  # web is restored, api is on its way
    status = world.command("status").document
    assert status["release"]["id"] is None or status["release"]["sha"] != third
    found = status["unfinished"]
    assert (found["doing"], found["command"], found["sha"], found["under_way"]) == ("undo", "deploy", third, False)


def test_an_undo_that_was_cut_off_is_continued_by_the_same_deploy_and_tries_nothing_again(world: World) -> None:
    world.released("first", "second")
    world.commit("third", web=crashing())
    world.interrupted(70, "deploy")
    done = world.command("deploy")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back"), done.people
    assert "restoring what ran before release" in done.people
    assert done.count("RegisterTaskDefinition") == 0
    assert (world.running("api"), world.running("web")) == ("dev-api:3", "dev-web:3")
    newest = entries(world)[-1]
    assert (newest["verdict"], newest["outcome"], len(entries(world))) == ("unhealthy", "rolled_back", 3)
    assert "DB_HOST is not set" in json.dumps(newest["findings"])  # the cause that the first run found
    assert tags(world, "dev-web:4")["deploykit:verdict"] == "unhealthy"
    assert world.command("status").document["unfinished"] is None


def test_status_of_a_release_that_reached_one_service_of_two_names_none(world: World) -> None:
    world.released("first")
    second = world.commit("second", web=healthy(start=60.0))
    world.interrupted(60, "deploy")
    status = world.command("status").document
    assert status["release"]["id"] is None or status["services"]["web"]["sha"] == second


def test_status_of_a_run_that_is_under_way_says_so(world: World) -> None:
    world.released("first")
    world.commit("second", healthy(start=60.0))
    seen: list[bool] = []

    def look() -> None:
        body = json.loads(world.sim.s3.buckets["shop-state"]["dev/lease.json"].body)
        seen.append(body["release"] == entries(world)[-1]["id"])

    world.sim.clock.after(30, look)
    assert world.command("deploy").code == 0
    assert seen == [True]


# -- a rollback --------------------------------------------------------------------------------------------------------


def test_a_rollback_that_another_rollout_takes_over_withdraws_nothing(world: World) -> None:
    _, second = world.released("first", "second")
    world.sim.clock.after(
        10,
        lambda: world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:3"}),
    )
    assert world.command("rollback").code == 130
    assert [entry["withdrawn_by"] for entry in entries(world)] == [None, None, None]
    status = world.command("status").document
    assert status["release"]["sha"] == second
    assert status["unfinished"]["doing"] == "rollback"
    assert tags(world, "dev-api:3")["deploykit:verdict"] == "healthy"


def test_a_rollback_whose_lock_is_taken_withdraws_nothing(world: World) -> None:
    world.released("first", "second")
    world.sim.clock.after(10, lambda: taken(world))
    assert world.command("rollback").code == 130
    assert [entry["withdrawn_by"] for entry in entries(world)] == [None, None, None]


def taken(world: World) -> None:
    from tests.flow.test_lease import lease

    lease(world, command="deploy")


@pytest.mark.parametrize("again", [("rollback",), ("rollback", "--to", "SHA")])
def test_a_rollback_that_was_cut_off_goes_where_it_went_and_only_a_finished_one_further(
    world: World, again: tuple[str, ...]
) -> None:
    first, second, _ = world.released("first", "second", "third")
    world.interrupted(20, "rollback")
    done = world.command(*(second[:12] if word == "SHA" else word for word in again))
    assert (done.code, done.document["release"]["sha"]) == (0, second), done.people
    assert "continuing rollback" in done.people
    assert len(entries(world)) == 4
    assert world.command("rollback").document["release"]["sha"] == first


def test_what_a_rollback_leaves_carries_its_id_as_a_tag_until_another_returns_to_it(world: World) -> None:
    _, second = world.released("first", "second")
    world.command("rollback")
    rollback = entries(world)[-1]["id"]
    assert tags(world, "dev-api:3")["deploykit:withdrawn-by"] == rollback
    assert world.command("rollback", "--to", second).code == 0
    assert tags(world, "dev-api:3")["deploykit:withdrawn-by"] == ""
    assert tags(world, "dev-api:3")["deploykit:verdict"] == "healthy"


def test_without_a_ledger_the_history_names_the_rollback_that_left_a_release(world: World) -> None:
    world.without_state()
    _, second = world.released("first", "second")
    world.command("rollback")
    left = next(each for each in world.command("history").document["releases"] if each["sha"] == second)
    assert left["withdrawn"] == tags(world, "dev-api:3")["deploykit:withdrawn-by"]


# -- a step by itself --------------------------------------------------------------------------------------------------


def test_after_migrate_by_itself_deploy_takes_the_revision_that_was_registered_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with migrating_shop(tmp_path / "shop", monkeypatch) as world:
        world.released("first")
        change_schema(world, "2")
        world.commit("second")
        assert world.command("migrate").code == 0
        before = revisions(world, "dev-api")
        done = world.command("deploy")
        assert done.code == 0, done.people
        assert revisions(world, "dev-api") == before
        assert world.running("api") == f"dev-api:{before}"
        assert tags(world, f"dev-api:{before}")["deploykit:release"] == done.document["release"]["id"]


def test_a_revision_that_failed_is_not_taken_again(world: World) -> None:
    world.released("first")
    world.commit("second", api=sick())
    assert world.command("deploy").code == 10
    before = revisions(world, "dev-api")
    assert world.command("deploy").code == 10
    assert revisions(world, "dev-api") == before + 1


def test_an_invalidation_that_was_cut_off_is_continued_and_a_later_one_is_another(world: World) -> None:
    world.released("first")
    asked = world.sim.cloudfront.distributions["E1SHOP"].invalidations
    before = len(asked)
    world.interrupted(10, "invalidate")
    assert world.command("invalidate").code == 0
    assert len(asked) == before + 1
    assert world.command("invalidate").code == 0
    assert len(asked) == before + 2


def test_a_taken_over_deployment_is_told_by_status_until_the_rollback_is_there(world: World) -> None:
    _, second = world.released("first", "second")
    third = world.commit("third", api=healthy(start=60.0))
    assert taken_over(world, 30.0).code == 130
    status = world.command("status").document
    assert (status["unfinished"]["sha"], status["unfinished"]["doing"]) == (third, "deploy")
    assert status["lease"]["holder"] == "bob"
    assert world.command("rollback", "--take-over", "--yes").document["release"]["sha"] == second
    status = world.command("status").document
    assert (status["unfinished"], status["release"]["sha"], status["lease"]) == (None, second, None)
