"""``--deadline``: too short a time neither starts what it cannot end, nor takes the way back away."""

from __future__ import annotations

from tests.flow.world import World, healthy


def test_a_deadline_that_is_over_before_the_rollout_begins_leaves_everything_alone(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    before = world.running("api")
    world.commit("second")
    done = world.run("deploy", "--deadline", "1s")
    assert done.code == 5
    assert "--deadline" in done.document["error"]["hint"]
    assert "UpdateService" not in done.calls
    assert world.running("api") == before
    assert world.run("history").document["releases"][0]["outcome"] == "failed"
    again = world.run("deploy")
    assert (again.code, again.document["outcome"]) == (0, "deployed")


def test_the_way_back_has_time_even_where_the_release_had_little(world: World) -> None:
    first = world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", healthy(start=200.0))
    done = world.run("deploy", "--deadline", "60s")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back")
    assert {service["sha"] for service in done.document["services"].values()} == {first}
