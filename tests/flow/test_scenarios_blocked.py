"""Rollouts that something outside keeps from going on: said as ECS says it, ended at the deadline, put back."""

from __future__ import annotations

from typing import Any

from tests.flow.world import Done, World, healthy


def short_deadline(world: World, minutes: int = 3) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(f'{path.read_text()}\n[rollout]\ndeadline = "{minutes}m"\n')


def released(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0


def configure(world: World, key: str, **settings: Any) -> None:
    served = world.services[key]
    world.sim.ecs.update_service({"cluster": served.cluster, "service": served.name, **settings})


def outcome(done: Done) -> tuple[int, str, str]:
    return done.code, done.document["outcome"], done.document["release"]["verdict"]


def last_line(done: Done) -> str:
    """The line that people are left with, which says why."""
    return next(line for line in reversed(done.people.splitlines()) if "not done after" in line)


def protect(world: World, key: str, minutes: int) -> None:
    service = world.sim.state.services["dev", world.services[key].name]
    tasks = [task.arn for task in world.sim.state.tasks_of(service) if task.desired_status == "RUNNING"]
    world.sim.ecs.update_task_protection(
        {"cluster": "dev", "tasks": tasks, "protectionEnabled": True, "expiresInMinutes": minutes}
    )


def test_a_rollout_that_finds_no_place_for_its_tasks_ends_at_the_deadline_with_ecs_reason(world: World) -> None:
    short_deadline(world)
    released(world)
    world.sim.state.services["dev", "dev-api"].no_place = "Capacity is unavailable at this time."
    world.commit("second")
    done = world.run("deploy")
    assert outcome(done) == (10, "rolled_back", "unhealthy")
    assert "not done after 180 s" in done.people
    assert "Capacity is unavailable at this time" in last_line(done)
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")
    assert 180 <= done.seconds < 260
    assert done.count("UpdateService") == 0 or done.count("StopServiceDeployment") == 1
    assert done.count("DescribeServices") < 90


def test_a_rollout_that_finds_its_place_late_is_waited_for(world: World) -> None:
    service = world.sim.state.services["dev", "dev-api"]
    service.no_place = "Capacity is unavailable at this time."
    world.commit("first")

    def room() -> None:
        service.no_place = None

    world.sim.clock.after(150, room)
    done = world.run("rollout", "api")
    assert (done.code, done.document["outcome"], world.running("api")) == (0, "deployed", "dev-api:2")
    assert "was unable to place a task" in done.people
    assert 150 < done.seconds < 240


def test_protected_tasks_that_are_done_in_time_only_delay_the_release(world: World) -> None:
    released(world)
    protect(world, "api", minutes=6)
    world.commit("second")
    done = world.run("rollout", "api")
    assert (done.code, done.document["outcome"], world.running("api")) == (0, "deployed", "dev-api:3")
    assert "2 tasks under protection" in done.people
    assert 350 < done.seconds < 420
    assert done.count("DescribeServices") <= 150


def test_tasks_protected_beyond_the_deadline_are_named_and_the_release_is_put_back(world: World) -> None:
    short_deadline(world)
    released(world)
    protect(world, "api", minutes=60)
    world.commit("second")
    done = world.run("deploy")
    assert outcome(done) == (10, "rolled_back", "unhealthy")
    assert "2 tasks under protection" in last_line(done)
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")
    assert done.seconds < 300


def test_percentages_that_let_nothing_move_are_named_and_the_release_is_put_back(world: World) -> None:
    short_deadline(world)
    released(world)
    configure(world, "api", deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100})
    world.commit("second")
    done = world.run("deploy")
    assert outcome(done) == (10, "rolled_back", "unhealthy")
    assert "minimumHealthyPercent or maximumPercent" in last_line(done)
    assert world.running("api") == "dev-api:2"
    assert done.seconds < 300


def test_half_of_the_tasks_at_a_time_is_slower_and_fine(world: World) -> None:
    configure(world, "api", deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    world.commit("first", healthy(start=20.0))
    done = world.run("rollout", "api")
    assert (done.code, world.running("api")) == (0, "dev-api:2")
    assert 60 < done.seconds < 140


def test_tasks_that_end_at_once_are_called_after_two_in_a_row(world: World) -> None:
    released(world)
    world.commit("second", api=healthy(start=2.0, exits=(0.0, 0), log_lines=["nothing to do"]))
    done = world.run("deploy")
    assert outcome(done) == (10, "rolled_back", "unhealthy")
    cause = done.document["findings"][0]
    assert (cause["id"], cause["subject"]) == ("program-crash", "api")
    assert "exit 0" in cause["summary"]
    assert "nothing to do" in done.people
    rollout = next(step for step in done.document["steps"] if step["name"] == "rollout")
    assert rollout["seconds"] < 40
    assert done.count("DescribeServices") < 60
