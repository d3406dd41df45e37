"""Services whose rollouts move requests between two revisions: blue/green, canary and linear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.flow.ends import BEGUN, NOTHING, assert_end
from tests.flow.world import World, crashing, healthy, shop, sick

BAKE = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 3}


@pytest.fixture
def blue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shop as blue/green services that bake for three minutes."""
    with shop(tmp_path / "shop", monkeypatch, shifting=BAKE) as made:
        yield made


def serving(world: World) -> str:
    """The version that users get from api at this moment."""
    return str(requests.get(f"{world.sim.url}/api/health", timeout=5).json()["version"])


def watch(world: World, seconds: int) -> list[tuple[str, str]]:
    """(stage, version that users get) of api, noted every second from now on."""
    noted: list[tuple[str, str]] = []

    def note() -> None:
        record = world.sim.state.services["dev", "dev-api"].records[0]
        task = world.sim.data_plane.candidates(world.sim.data_plane.routes[0])[0]
        version = world.sim.data_plane.environment(task, "api").get("GIT_SHA", "none")
        noted.append((str(record.get("lifecycleStage", record["status"])), version))

    for second in range(1, seconds):
        world.sim.clock.after(second, note)
    return noted


def asked_groups(world: World) -> set[str]:
    """The names of the target groups whose targets' health was asked for."""
    calls = [call for call in world.sim.calls if call.operation == "DescribeTargetHealth"]
    return {call.params["TargetGroupArn"].split("/")[1] for call in calls}


def configure(world: World, text: str) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")


def set_strategy(world: World, **settings: Any) -> None:
    world.sim.state.services["dev", "dev-api"].body["deploymentConfiguration"] = settings


def test_a_blue_green_release_is_waited_for_until_ecs_has_baked_and_cleaned_up(blue: World) -> None:
    sha = blue.commit("first")
    noted = watch(blue, 400)
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says=("BAKE_TIME: the new tasks answer, the old ones stand by, up to 180 s left", "CLEAN_UP"),
        seconds=(240, 260),
        calls={**BEGUN, "ListServiceDeployments": 1, "StopServiceDeployment": 0},
        besides=45,
    )
    assert done.count("DescribeServices") + done.count("DescribeServiceDeployments") <= 90
    stages = dict(noted)
    assert (stages["POST_TEST_TRAFFIC_SHIFT"], stages["BAKE_TIME"]) == ("none", sha)
    tasks = blue.sim.state.tasks_of(blue.sim.state.services["dev", "dev-api"])
    assert [task.definition.revision for task in tasks if task.desired_status == "RUNNING"] == [2, 2]


def test_the_target_group_that_serves_is_looked_at_whichever_of_the_two_it_is(blue: World) -> None:
    blue.commit("first")
    assert blue.run("rollout", "api").code == 0
    assert asked_groups(blue) == {"dev-api-other"}
    blue.sim.calls.clear()
    blue.commit("second")
    assert blue.run("rollout", "api").code == 0
    assert asked_groups(blue) == {"dev-api"}


def test_a_whole_blue_green_release_is_proven_once_it_serves(blue: World) -> None:
    blue.commit("first")
    done = blue.run("deploy")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says="released and healthy",
        seconds=(500, 650),
        calls={"RegisterTaskDefinition": 2, "UpdateService": 2, "CreateInvalidation": 1},
        besides=60,
        verdict="healthy",
    )


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
        says=("exit 3", "DB_HOST is not set", "put back"),
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
        says="put back",
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
            says=("rolled back: ECS deployment circuit breaker", "put back"),
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


def test_a_bake_time_beyond_the_deadline_is_refused_before_anything_changes(blue: World) -> None:
    configure(blue, '[rollout]\ndeadline = "5m"')
    blue.commit("first")
    words = (
        "api (BLUE_GREEN), web (BLUE_GREEN): moving requests and baking takes ECS 6m at least, and the rollout has 5m; "
        'set `deadline = "11m"` under [rollout]'
    )
    assert words in blue.run("plan").document["refusals"][0]
    done = blue.run("deploy")
    assert_end(done, 5, "failed", words, (0, 5), NOTHING, 45)
    alone = blue.run("deploy", "api")  # three minutes for one of the two
    assert (alone.code, blue.running("api")) == (0, "dev-api:2")


def test_a_bake_time_beyond_the_runs_own_deadline_is_refused_before_anything_that_runs_is_touched(blue: World) -> None:
    blue.commit("first")
    done = blue.run("deploy", "api", "--deadline", "2m")
    words = "the 120 s of the deadline leave less than the 3m that ECS takes to move requests and to bake"
    assert_end(done, 5, "failed", (words, "--deadline 33m"), (0, 5), NOTHING, 30)
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


def test_without_permission_to_read_the_stages_ecs_list_has_to_do(blue: World) -> None:
    blue.sim.faults.deny("DescribeServiceDeployments")
    blue.commit("first")
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says="how far ECS is in moving requests cannot be looked at: not allowed: ecs:DescribeServiceDeployments",
        seconds=(240, 260),
        calls={**BEGUN, "DescribeServiceDeployments": 1},
        besides=45,
    )


@pytest.mark.parametrize(
    ("strategy", "least"),
    [
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 2}}, 120),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 1}}, 180),
    ],
    ids=["canary", "linear"],
)
def test_requests_that_move_in_shares_are_waited_for(blue: World, strategy: dict[str, Any], least: int) -> None:
    set_strategy(blue, **strategy, bakeTimeInMinutes=1)
    blue.commit("first")
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says=("PRODUCTION_TRAFFIC_SHIFT: requests go over to the new tasks", " % by now", "up to 60 s left"),
        seconds=(least + 60, least + 180),
        calls=BEGUN,
        besides=45,
    )


def test_a_paused_rollout_says_what_it_waits_for_and_what_to_type(blue: World) -> None:
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"]}
    set_strategy(blue, **BAKE, lifecycleHooks=[hook])
    configure(blue, '[rollout]\ndeadline = "5m"')
    first = blue.commit("first")
    assert first
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=10,
        outcome="rolled_back",
        says=("not done after 300 s", "paused it at POST_TEST_TRAFFIC_SHIFT: `aws ecs continue-service-deployment"),
        seconds=(300, 360),
        calls={**BEGUN, "StopServiceDeployment": 1},
        besides=60,
    )
    assert blue.running("api") == "dev-api:1"


def test_a_paused_rollout_that_somebody_continues_goes_on(blue: World) -> None:
    hook = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    set_strategy(blue, **BAKE, lifecycleHooks=[hook])

    def go_on() -> None:
        record = blue.sim.state.services["dev", "dev-api"].records[0]
        hook = record["lifecycleHookDetails"][0]["hookId"]
        blue.sim.ecs.continue_service_deployment(
            {"serviceDeploymentArn": record["serviceDeploymentArn"], "hookId": hook}
        )

    blue.commit("first")
    blue.sim.clock.after(120, go_on)
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says="POST_SCALE_UP",
        seconds=(320, 360),
        calls=BEGUN,
        besides=45,
    )


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


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_a_service_that_ecs_itself_does_not_roll_out_is_refused(blue: World, controller: str) -> None:
    blue.sim.state.services["dev", "dev-api"].body["deploymentController"] = {"type": controller}
    blue.commit("first")
    done = blue.run("deploy")
    says = (f"service api is under the {controller} controller", "leave these out, or move them: https://docs.aws")
    assert_end(done, 5, "failed", says, (0, 2), NOTHING, 30)
