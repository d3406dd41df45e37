"""What surrounds a release: throttling, answers that lag, permissions that lack, and what others do meanwhile."""

from __future__ import annotations

import pytest

from tests.flow.ends import BEGUN, BOTH, NOTHING, PUT_BACK, assert_end
from tests.flow.larger import set_running
from tests.flow.world import World, crashing, healthy
from tests.simulator.setup import container

NGINX, AGENT = "public.ecr.aws/nginx/nginx:1.29", "public.ecr.aws/datadog/agent:7"


def released(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0


def by_hand(world: World, key: str, revision: str) -> None:
    """Somebody else sets a service to a revision."""
    world.sim.ecs.update_service({"cluster": "dev", "service": world.services[key].name, "taskDefinition": revision})


def scale(world: World, key: str, desired: int) -> None:
    """What Application Auto Scaling's scheduled action does."""
    world.sim.ecs.update_service({"cluster": "dev", "service": world.services[key].name, "desiredCount": desired})


def live_tasks(world: World, key: str) -> int:
    service = world.sim.state.services["dev", world.services[key].name]
    return sum(task.desired_status == "RUNNING" for task in world.sim.state.tasks_of(service))


# -- throttling and lag ------------------------------------------------------------------------------------------------


def test_throttling_of_every_second_kind_of_call_only_costs_time(world: World) -> None:
    for operation in ("RegisterTaskDefinition", "UpdateService", "ListTasks", "DescribeTaskDefinition"):
        world.sim.faults.throttle(operation)
    world.sim.faults.throttle("DescribeServices", times=12, skip=3)
    world.commit("first", healthy(start=30.0))
    done = world.run("deploy")
    retried = {"RegisterTaskDefinition": 3, "UpdateService": 3, "CreateInvalidation": 1}
    says = ("Rate exceeded", "released and healthy")
    assert_end(done, 0, "deployed", says, (380, 500), retried, 42, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")
    assert world.sim.state.definitions["dev-api"][-1].revision == 2  # retried, not repeated
    throttled = [call for call in world.sim.calls if call.error == "ThrottlingException"]
    assert len(throttled) == 16


def test_throttling_that_never_ends_before_anything_changed_is_out_of_reach(world: World) -> None:
    world.sim.faults.throttle("RegisterTaskDefinition", times=None)
    world.commit("first")
    done = world.run("deploy")
    says = ("ecs:RegisterTaskDefinition was throttled", "wait a minute and run it again")
    assert_end(done, 3, "failed", says, (0, 30), {**NOTHING, "RegisterTaskDefinition": 4}, 26)
    assert world.running("api") == "dev-api:1"


def test_services_described_as_before_for_some_seconds_are_no_rollout_of_others(world: World) -> None:
    world.sim.state.lag = 6.0
    world.commit("first")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (150, 180), BOTH, 45, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")


def test_a_crash_is_put_back_also_where_answers_lag(world: World) -> None:
    released(world)
    world.sim.state.lag = 6.0
    world.commit("second", api=crashing(3))
    done = world.run("deploy")
    says = ("the program exits (container api: exit 3)", "what runs is as healthy as before")
    assert_end(done, 10, "rolled_back", says, (45, 80), PUT_BACK, 45, "unhealthy")
    assert (done.document["findings"][0]["id"], world.running("api")) == ("program-crash", "dev-api:2")


# -- permissions -------------------------------------------------------------------------------------------------------

SPARED = {
    "ListTasks": "ecs",
    "DescribeTasks": "ecs",
    "DescribeTargetHealth": "elbv2",
    "ListTaskDefinitions": "ecs",
    "ListServiceDeployments": "ecs",
    "DescribeLogGroups": "logs",
    "GetRole": "iam",
    "DescribeSecret": "secretsmanager",
    "GetInvalidation": "cloudfront",
}
NEEDED = {
    "DescribeServices": ("ecs", "ecs:DescribeServices"),
    "DescribeTaskDefinition": ("ecs", "ecs:DescribeTaskDefinition"),
    "BatchGetImage": ("ecr", "ecr:BatchGetImage"),
    "RegisterTaskDefinition": ("ecs", "ecs:RegisterTaskDefinition"),
    "UpdateService": ("ecs", "ecs:UpdateService"),
}


@pytest.mark.parametrize("operation", SPARED)
def test_a_release_does_without_a_single_read_that_is_not_allowed(world: World, operation: str) -> None:
    world.sim.faults.deny(operation, service=SPARED[operation])
    world.commit("first")
    done = world.run("deploy")
    says = operation if operation in done.calls else "released"
    if operation == "GetInvalidation":  # the release runs, and nobody knows whether users see it
        assert_end(done, 12, "inconclusive", (says, "judges it once more"), (90, 120), BOTH, 45, "inconclusive")
    else:
        assert_end(done, 0, "deployed", (says, "released and healthy"), (150, 180), BOTH, 45, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")


@pytest.mark.parametrize("operation", NEEDED)
def test_a_permission_that_a_release_needs_is_named_before_anything_that_runs_is_touched(
    world: World, operation: str
) -> None:
    service, action = NEEDED[operation]
    world.sim.faults.deny(operation, service=service)
    world.commit("first")
    done = world.run("deploy")
    says = (f"not allowed: {action}", f"allow the IAM action {action}")
    tried = {
        name: int(name == operation or (name, operation) == ("RegisterTaskDefinition", "UpdateService"))
        for name in BEGUN
    }
    assert_end(done, 3, "failed", says, (0, 20), {**NOTHING, **tried}, 25)
    assert (world.running("api"), world.running("web")) == ("dev-api:1", "dev-web:1")


def test_a_crash_that_may_not_be_looked_at_ends_at_the_deadline_and_is_put_back(world: World) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(f'{path.read_text()}\n[rollout]\ndeadline = "2m"\n')
    released(world)
    world.sim.faults.deny("ListTasks")
    world.commit("second", api=crashing(3))
    done = world.run("deploy")
    says = ("api overdue: not done after 120 s", "unable to consistently start tasks", "as healthy as before")
    assert_end(done, 10, "rolled_back", says, (120, 180), PUT_BACK, 45, "unhealthy")
    assert world.running("api") == "dev-api:2"


def test_a_crash_whose_log_may_not_be_read_is_named_all_the_same(world: World) -> None:
    released(world)
    world.sim.faults.deny("GetLogEvents", service="logs")
    world.sim.faults.deny("FilterLogEvents", service="logs")
    world.commit("second", api=crashing(3))
    done = world.run("deploy")
    says = "api: the program exits (container api: exit 3); restored"
    assert_end(done, 10, "rolled_back", says, (45, 80), PUT_BACK, 40, "unhealthy")
    assert done.document["findings"][0]["id"] == "program-crash"


# -- rollouts and scaling by others ------------------------------------------------------------------------------------


def test_two_rollouts_that_others_began_before_are_replaced_by_the_release(world: World) -> None:
    released(world)
    for _ in range(2):
        world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "forceNewDeployment": True})
        world.sim.clock.advance(10)
    assert len(world.sim.ecs.deployments("dev", "dev-api")) == 3
    world.commit("second")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (150, 200), BOTH, 45, "healthy")
    assert world.running("api") == "dev-api:3"


def test_two_rollouts_that_others_begin_meanwhile_are_left_to_them(world: World) -> None:
    released(world)
    world.commit("second", healthy(start=60.0))
    world.sim.clock.after(20, lambda: by_hand(world, "api", "dev-api:1"))
    world.sim.clock.after(22, lambda: by_hand(world, "api", "dev-api:2"))
    done = world.run("deploy")
    says = (
        "another rollout took over api (api was taken over on its way to dev-api:3, web untouched); nothing was undone"
    )
    assert_end(done, 130, "interrupted", says, (20, 40), {**BEGUN, "StopServiceDeployment": 0}, 32)
    world.sim.clock.advance(120)
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")


def test_a_rollout_forced_by_others_of_our_own_revision_is_followed_to_its_end(world: World) -> None:
    world.commit("first")

    def force() -> None:
        world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "forceNewDeployment": True})

    world.sim.clock.after(12, force)
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", "rolled out; `deploykit check` looks at it", (40, 70), BEGUN, 26)
    assert world.running("api") == "dev-api:2"


@pytest.mark.parametrize("desired", [5, 1])
def test_scheduled_scaling_during_the_rollout_is_waited_for_and_stays(world: World, desired: int) -> None:
    world.commit("first", healthy(start=30.0))
    world.sim.clock.after(20, lambda: scale(world, "api", desired))
    world.sim.clock.after(45, lambda: scale(world, "web", desired))
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (190, 260), BOTH, 40, "healthy")
    assert (live_tasks(world, "api"), live_tasks(world, "web")) == (desired, desired)
    updates = [call.params for call in world.sim.calls if call.operation == "UpdateService"]
    assert ["desiredCount" in params for params in updates] == [False, False]


def test_a_service_scaled_to_nothing_meanwhile_is_released_and_said_to_run_nothing(world: World) -> None:
    world.commit("first", healthy(start=30.0))
    world.sim.clock.after(10, lambda: scale(world, "api", 0))
    done = world.run("rollout", "api")
    assert_end(
        done,
        0,
        "deployed",
        ("its desired count is 0, so its rollout proves nothing", "rolled out"),
        (20, 60),
        BEGUN,
        20,
    )
    assert (world.running("api"), live_tasks(world, "api")) == ("dev-api:2", 0)
    assert [finding["subject"] for finding in done.document["findings"]] == ["api"]


# -- more than one container -------------------------------------------------------------------------------------------


def with_company(world: World) -> None:
    """The api's task also has a web server, and an agent that is somebody else's and may end."""
    agent = {**container(world.sim, "agent", AGENT), "essential": False}
    set_running(world, "api", [container(world.sim, "nginx", NGINX), agent])
    assert world.running("api") == "dev-api:2"


def containers(world: World, name: str) -> dict[str, dict[str, object]]:
    found = world.sim.ecs.describe_task_definition({"taskDefinition": name})["taskDefinition"]
    return {each["name"]: each for each in found["containerDefinitions"]}


def test_containers_that_are_not_ours_stay_as_they_are(world: World) -> None:
    with_company(world)
    before = containers(world, "dev-api:2")
    sha = world.commit("first")
    done = world.run("deploy")
    after = containers(world, "dev-api:3")
    assert_end(done, 0, "deployed", "released and healthy", (150, 200), BOTH, 42, "healthy")
    assert world.running("api") == "dev-api:3"
    assert {name: after[name] for name in ("nginx", "agent")} == {name: before[name] for name in ("nginx", "agent")}
    assert after["api"]["environment"] == [{"name": "GIT_SHA", "value": sha}]
    assert "@sha256:" in str(after["api"]["image"])


def test_an_agent_that_ends_beside_the_program_is_no_failure(world: World) -> None:
    world.sim.image(AGENT, healthy(exits=(2.0, 1)))
    with_company(world)
    world.commit("first")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (150, 200), BOTH, 42, "healthy")
    assert (done.document["findings"], world.running("api")) == ([], "dev-api:3")


def test_a_container_that_is_not_ours_and_ends_the_task_is_named_as_the_cause(world: World) -> None:
    with_company(world)
    released(world)
    world.sim.image(NGINX, crashing(78, 2.0, "nginx: [emerg] host not found in upstream"))
    world.commit("second")
    done = world.run("deploy")
    says = ("api: the program exits (container nginx: exit 78); restored", "host not found in upstream")
    assert_end(done, 10, "rolled_back", says, (50, 90), PUT_BACK, 42, "unhealthy")  # the old tasks were still there
    cause = done.document["findings"][0]
    assert (cause["id"], cause["subject"]) == ("program-crash", "api")
    assert world.running("api") == "dev-api:3"
