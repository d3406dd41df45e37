"""Rollouts that move requests and fail, are stopped, taken over or interrupted: who serves, and what is restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.ends import BEGUN, assert_end
from tests.flow.shifting import BAKE, configure, serving, watch
from tests.flow.world import World, crashing, healthy, shop, sick


@pytest.fixture
def blue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shop as blue/green services that bake for three minutes."""
    with shop(tmp_path / "shop", monkeypatch, shifting=BAKE) as made:
        yield made


def test_new_tasks_that_crash_never_serve_and_the_old_ones_stay(blue: World) -> None:
    first = blue.commit("first")
    assert blue.run("rollout", "api").code == 0
    blue.commit("second", api=crashing(3))
    noted = watch(blue, 120)
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=10,
        outcome="rolled_back",
        says=("exit 3", "DB_HOST is not set", "restored"),
        seconds=(30, 90),
        calls={**BEGUN, "StopServiceDeployment": 1},
        besides=60,
    )
    assert {version for _, version in noted} == {first}
    assert blue.running("api") == "dev-api:2"


def test_a_crash_loop_while_it_bakes_moves_the_requests_back(blue: World) -> None:
    first = blue.commit("first")
    assert blue.run("rollout", "api").code == 0
    blue.commit("second", api=crashing(4, 60.0))
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=10,
        outcome="rolled_back",
        says=("exit 4", ": requests go back to the old tasks"),
        seconds=(100, 260),
        calls={**BEGUN, "StopServiceDeployment": 1},
        besides=70,
    )
    assert (blue.running("api"), serving(blue)) == ("dev-api:2", first)


def test_a_blue_green_release_that_answers_wrongly_is_put_back_by_one_more_rollout(blue: World) -> None:
    first = blue.commit("first")
    assert blue.run("deploy").code == 0
    blue.commit("second", api=sick())
    done = blue.run("deploy", "api")
    assert_end(
        done,
        code=10,
        outcome="rolled_back",
        says="restored",
        seconds=(480, 700),
        calls={"RegisterTaskDefinition": 1, "UpdateService": 2, "StopServiceDeployment": 0},
        besides=90,
        verdict="unhealthy",
    )
    assert (blue.running("api"), serving(blue)) == ("dev-api:2", first)


def test_a_rollback_by_ecs_itself_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path / "shop", monkeypatch, shifting=BAKE, breaker=True) as world:
        configure(world, "[rollout]\ncrash_after = 50")
        first = world.commit("first")
        assert world.run("rollout", "api").code == 0
        world.commit("second", api=crashing(3))
        done = world.run("rollout", "api")
        assert_end(
            done,
            code=10,
            outcome="rolled_back",
            says=("rolled back: ECS deployment circuit breaker", "restored"),
            seconds=(30, 120),
            calls={**BEGUN, "StopServiceDeployment": 0},
            besides=70,
        )
        assert (world.running("api"), serving(world)) == ("dev-api:2", first)


def test_somebody_who_stops_it_while_it_bakes_is_told_apart_from_success(blue: World) -> None:
    first = blue.commit("first")
    assert blue.run("rollout", "api").code == 0
    blue.commit("second")

    def stop() -> None:
        record = blue.sim.state.services["dev", "dev-api"].records[0]
        blue.sim.ecs.stop_service_deployment({"serviceDeploymentArn": record["serviceDeploymentArn"]})

    blue.sim.clock.after(120, stop)
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=10,
        outcome="rolled_back",
        says="rolled back",
        seconds=(120, 180),
        calls={**BEGUN, "StopServiceDeployment": 0},
        besides=60,
    )
    assert (blue.running("api"), serving(blue)) == ("dev-api:2", first)


def test_another_rollout_that_takes_over_while_it_bakes_is_left_alone(blue: World) -> None:
    blue.commit("first")
    assert blue.run("rollout", "api").code == 0
    blue.commit("second")

    def take_over() -> None:
        blue.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:1"})

    blue.sim.clock.after(120, take_over)
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=130,
        outcome="interrupted",
        says="took over api",
        seconds=(120, 140),
        calls={**BEGUN, "StopServiceDeployment": 0},
        besides=50,
    )
    assert blue.running("api") == "dev-api:1"


def test_a_rollback_gets_the_bake_time_on_top_of_its_deadline(blue: World) -> None:
    first = blue.commit("first")
    assert blue.run("deploy", "api").code == 0
    blue.commit("second")
    assert blue.run("deploy", "api").code == 0
    configure(blue, '[rollout]\ndeadline = "2m"')
    done = blue.run("rollback", "--to", first)
    assert_end(
        done,
        code=0,
        outcome="rolled_back",
        says="BAKE_TIME",
        seconds=(240, 420),
        calls={"RegisterTaskDefinition": 0, "UpdateService": 1},
        besides=60,
    )
    assert (blue.running("api"), serving(blue)) == ("dev-api:2", first)


def test_a_run_that_was_killed_while_it_baked_is_taken_up_again(blue: World) -> None:
    sha = blue.commit("first", healthy())

    def kill() -> None:
        raise KeyboardInterrupt

    blue.sim.clock.after(150, kill)
    done = blue.run("deploy", "api")
    assert (done.code, done.document["outcome"]) == (130, "interrupted")
    again = blue.run("deploy", "api")
    assert_end(
        again,
        code=0,
        outcome="deployed",
        says="released and healthy",
        seconds=(80, 250),
        calls={"RegisterTaskDefinition": 0, "UpdateService": 0},
        besides=60,
        verdict="healthy",
    )
    assert serving(blue) == sha
