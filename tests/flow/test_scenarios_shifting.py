"""Blue/green, canary and linear rollouts: waited for as ECS does them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.ends import BEGUN, NOTHING, assert_end
from tests.flow.shifting import BAKE, asked_groups, configure, set_strategy, watch
from tests.flow.world import World, shop


@pytest.fixture
def blue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shop as blue/green services that bake for three minutes."""
    with shop(tmp_path / "shop", monkeypatch, shifting=BAKE) as made:
        yield made


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


def test_a_bake_time_beyond_the_deadline_is_refused_before_anything_changes(blue: World) -> None:
    configure(blue, '[rollout]\ndeadline = "5m"')
    blue.commit("first")
    words = (
        "api (BLUE_GREEN), web (BLUE_GREEN): ECS takes at least 6m to shift traffic and bake, but the rollout has 5m: "
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
    words = "the 120 s of the deadline leave less than the 3m that ECS takes to shift traffic and bake"
    assert_end(done, 5, "failed", (words, "--deadline 33m"), (0, 5), NOTHING, 30)
    assert blue.running("api") == "dev-api:1"


def test_without_permission_to_read_the_stages_ecs_list_has_to_do(blue: World) -> None:
    blue.sim.faults.deny("DescribeServiceDeployments")
    blue.commit("first")
    done = blue.run("rollout", "api")
    assert_end(
        done,
        code=0,
        outcome="deployed",
        says="cannot read how far ECS has shifted traffic: not allowed: ecs:DescribeServiceDeployments",
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


@pytest.mark.parametrize("desired", [4, 1])
def test_scaling_while_it_bakes_is_waited_for_and_stays(blue: World, desired: int) -> None:
    blue.commit("first")

    def scale() -> None:
        blue.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "desiredCount": desired})

    blue.sim.clock.after(100, scale)
    done = blue.run("rollout", "api")
    assert_end(done, 0, "deployed", "rolled out", (240, 280), {**BEGUN, "StopServiceDeployment": 0}, 35)
    tasks = blue.sim.state.tasks_of(blue.sim.state.services["dev", "dev-api"])
    assert [task.definition.revision for task in tasks if task.desired_status == "RUNNING"] == [2] * desired


def test_a_blue_green_rollout_is_told_from_lagging_answers(blue: World) -> None:
    blue.sim.state.lag = 6.0
    blue.commit("first")
    done = blue.run("rollout", "api")
    assert_end(done, 0, "deployed", "BAKE_TIME", (240, 260), {**BEGUN, "StopServiceDeployment": 0}, 30)
    assert blue.running("api") == "dev-api:2"


def test_a_blue_green_service_that_throttles_its_records_only_takes_longer(blue: World) -> None:
    blue.sim.faults.throttle("DescribeServiceDeployments", times=5, skip=4)
    blue.commit("first")
    done = blue.run("rollout", "api")
    says = ("ecs:DescribeServiceDeployments was throttled", "rolled out")
    assert_end(done, 0, "deployed", says, (240, 300), {**BEGUN, "StopServiceDeployment": 0}, 30)


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_a_service_that_ecs_itself_does_not_roll_out_is_refused(blue: World, controller: str) -> None:
    blue.sim.state.services["dev", "dev-api"].body["deploymentController"] = {"type": controller}
    blue.commit("first")
    done = blue.run("deploy")
    says = (f"service api is under the {controller} controller", "leave these out, or move them: https://docs.aws")
    assert_end(done, 5, "failed", says, (0, 2), NOTHING, 30)
