"""What becomes of a rollout: outcome, exit code, message, calls, virtual seconds."""

from __future__ import annotations

from dataclasses import replace

from tests.flow.ends import BEGUN, BOTH, NOTHING, PUT_BACK, assert_end
from tests.flow.world import World, crashing, healthy, sick


def test_a_release_is_rolled_out_in_order_proven_and_recorded(world: World) -> None:
    sha = world.commit("first")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy (2 min", (150, 180), BOTH, 45, "healthy")
    assert len(done.calls) <= 120  # of which most are polls of two rollouts and an invalidation
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": sha, "web": sha}
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")
    updated = [c.params["service"] for c in world.sim.calls if c.operation == "UpdateService"]
    assert updated == ["dev-api", "dev-web"]
    assert [step["name"] for step in done.document["steps"]] == [
        "build",
        "push",
        "baseline",
        "rollout",
        "invalidate",
        "check",
    ]


def test_a_second_deploy_of_the_same_commit_does_nothing(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    again = world.run("deploy")
    assert_end(again, 0, "unchanged", "nothing to do", (0, 2), NOTHING, 15, "healthy")
    assert again.changing == []


def test_services_without_order_go_side_by_side(world: World) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace('depends_on = ["api"]\n', ""))
    world.commit("first")
    done = world.run("rollout")
    calls = {**BOTH, "CreateInvalidation": 0}
    assert_end(done, 0, "deployed", "rolled out; `deploykit check` looks at it", (30, 50), calls, 35)
    starts = [call.at for call in world.sim.calls if call.operation == "UpdateService"]
    assert starts[1] - starts[0] < 1


def test_a_slow_start_is_waited_for_with_few_polls(world: World) -> None:
    world.commit("first", healthy(start=60.0, healthy_after=60.0))
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", ("has reached a steady state", "rolled out"), (130, 160), BEGUN, 22)
    assert done.count("DescribeServices") < done.seconds / 2
    assert len(done.calls) <= 100


def test_a_crash_loop_is_called_by_two_failed_tasks_and_put_back_with_its_cause(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    first = world.running("api")
    world.commit("second", api=crashing(3, 4.0, "Error: DB_HOST is not set"))
    done = world.run("deploy")
    says = ("api: the program exits (container api: exit 3); restored", "log: Error: DB_HOST is not set")
    assert_end(done, 10, "rolled_back", says, (45, 80), PUT_BACK, 40, "unhealthy")
    cause = done.document["findings"][0]
    assert (cause["id"], cause["subject"]) == ("program-crash", "api")
    assert any("DB_HOST is not set" in line for line in cause["evidence"])
    assert world.running("api") == first
    assert len(done.calls) <= 110
    assert [c.params["service"] for c in world.sim.calls if c.operation == "UpdateService"][2:] == ["dev-api"]
    rollout = next(step for step in done.document["steps"] if step["name"] == "rollout")
    assert rollout["status"] == "undone"
    assert rollout["seconds"] < 90


def test_an_image_that_is_gone_is_named_as_the_cause(world: World) -> None:
    missing = replace(healthy(), pull_error="not found")
    world.commit("first", api=missing)
    done = world.run("deploy", "api")
    says = "api: the image cannot be pulled (container api: CannotPullContainerError: not found); restored"
    assert_end(done, 10, "rolled_back", says, (40, 80), PUT_BACK, 38, "unhealthy")
    assert done.document["findings"][0]["id"] == "image-missing"


def test_a_failing_load_balancer_check_is_named_as_the_cause(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=replace(healthy(), health_check_fails=True))
    done = world.run("deploy")
    says = "api: the load balancer's health check fails (container api: Task failed ELB health checks"
    assert_end(done, 10, "rolled_back", says, (100, 250), PUT_BACK, 52, "unhealthy")
    assert done.document["findings"][0]["id"] == "load-balancer-check"


def test_a_rollback_by_the_circuit_breaker_is_no_success_and_is_not_undone_twice(breaker_world: World) -> None:
    world = breaker_world
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text + "\n[rollout]\ncrash_after = 50\n")
    world.commit("first")
    assert world.run("deploy").code == 0
    first = world.running("api")
    world.commit("second", api=crashing())
    done = world.run("deploy")
    says = ("rolled back: ECS deployment circuit breaker", "the program exits (container api: exit 1); restored")
    calls = {**BEGUN, "StopServiceDeployment": 0}
    assert_end(done, 10, "rolled_back", says, (60, 120), calls, 38, "unhealthy")
    assert world.running("api") == first
    assert done.document["findings"][0]["id"] == "program-crash"


def test_another_rollout_that_takes_over_is_left_alone(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", healthy(start=60.0))

    def take_over() -> None:
        world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:1"})

    world.sim.clock.after(30, take_over)
    done = world.run("deploy")
    says = (
        "another rollout took over api (api was taken over on its way to dev-api:3, web untouched); nothing was undone"
    )
    assert_end(done, 130, "interrupted", says, (30, 60), {**BEGUN, "StopServiceDeployment": 0}, 32)
    assert world.running("api") == "dev-api:1"
    assert len(done.calls) <= 80


def test_a_release_that_answers_wrongly_is_put_back_last_service_first_caches_too(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    before = (world.running("api"), world.running("web"))
    world.commit("second", api=sick())
    with world.sim.recording() as calls:
        done = world.run("deploy")
    says = "the release is unhealthy: api fails: status is 500, not 200 (6 of 6 samples); restored"
    calls_made = {**BOTH, "UpdateService": 4, "CreateInvalidation": 2}
    assert_end(done, 10, "rolled_back", says, (260, 340), calls_made, 52, "unhealthy")
    assert done.document["checks"]["api"]["class"] == "regression"
    assert (world.running("api"), world.running("web")) == before
    assert [c.params["service"] for c in calls if c.operation == "UpdateService"] == [
        "dev-api",
        "dev-web",
        "dev-web",
        "dev-api",
    ]


def test_no_rollback_leaves_the_failed_release_in_place(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=crashing())
    done = world.run("deploy", "--no-rollback")
    says = ("the program exits", "`deploykit rollback` goes back to the last verified release")
    assert_end(done, 11, "failed", says, (25, 50), {**BEGUN, "StopServiceDeployment": 0}, 36, "unhealthy")
    assert world.running("api") == "dev-api:3"


def test_polls_back_off_while_aws_throttles(world: World) -> None:
    world.commit("first", healthy(start=30.0))
    world.sim.faults.throttle("DescribeServices", times=6, skip=2)
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", ("Rate exceeded", "asking again in 30 s", "rolled out"), (80, 130), BEGUN, 22)
