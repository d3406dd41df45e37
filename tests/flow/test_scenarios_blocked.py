"""Rollouts that something outside blocks: said as ECS says it, ended at the deadline, restored."""

from __future__ import annotations

from typing import Any

from tests.flow.ends import BEGUN, PUT_BACK, assert_end
from tests.flow.world import Done, World, crashing, healthy


def short_deadline(world: World, minutes: int = 3) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(f'{path.read_text()}\n[rollout]\ndeadline = "{minutes}m"\n')


def released(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0


def configure(world: World, key: str, **settings: Any) -> None:
    served = world.services[key]
    world.sim.ecs.update_service({"cluster": served.cluster, "service": served.name, **settings})


def last_line(done: Done) -> str:
    """The line that people are left with, which says why."""
    return next(line for line in reversed(done.people.splitlines()) if line.strip())


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
    assert_end(done, 10, "rolled_back", "not done after 180 s", (180, 240), PUT_BACK, 40, "unhealthy")
    assert "Capacity is unavailable at this time" in last_line(done)
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")


def test_a_rollout_that_finds_its_place_late_is_waited_for(world: World) -> None:
    service = world.sim.state.services["dev", "dev-api"]
    service.no_place = "Capacity is unavailable at this time."
    world.commit("first")

    def room() -> None:
        service.no_place = None

    world.sim.clock.after(150, room)
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", ("was unable to place a task", "rolled out"), (150, 220), BEGUN, 25)
    assert world.running("api") == "dev-api:2"


def test_protected_tasks_that_are_done_in_time_only_delay_the_release(world: World) -> None:
    released(world)
    protect(world, "api", minutes=6)
    world.commit("second")
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", ("2 tasks under protection", "rolled out"), (350, 420), BEGUN, 28)
    assert world.running("api") == "dev-api:3"


def test_tasks_protected_beyond_the_deadline_are_named_and_the_release_is_put_back(world: World) -> None:
    short_deadline(world)
    released(world)
    protect(world, "api", minutes=60)
    world.commit("second")
    done = world.run("deploy")
    assert_end(done, 10, "rolled_back", "not done after 180 s", (180, 260), PUT_BACK, 35, "unhealthy")
    assert "2 tasks under protection" in last_line(done)
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:2")


def test_percentages_that_let_nothing_move_are_named_and_the_release_is_put_back(world: World) -> None:
    short_deadline(world)
    released(world)
    configure(world, "api", deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100})
    world.commit("second")
    done = world.run("deploy")
    assert_end(done, 10, "rolled_back", "not done after 180 s", (180, 240), PUT_BACK, 40, "unhealthy")
    assert "minimumHealthyPercent or maximumPercent" in last_line(done)
    assert world.running("api") == "dev-api:2"


def test_half_of_the_tasks_at_a_time_is_slower_and_fine(world: World) -> None:
    configure(world, "api", deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    world.commit("first", healthy(start=20.0))
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", "rolled out", (55, 100), BEGUN, 25)
    assert world.running("api") == "dev-api:2"


def test_tasks_that_end_at_once_are_called_after_two_in_a_row(world: World) -> None:
    released(world)
    world.commit("second", api=healthy(start=2.0, exits=(0.0, 0), log_lines=["nothing to do"]))
    done = world.run("deploy")
    says = ("api: the program exits (container api: exit 0); restored", "log: nothing to do")
    assert_end(done, 10, "rolled_back", says, (30, 60), PUT_BACK, 40, "unhealthy")
    cause = done.document["findings"][0]
    assert (cause["id"], cause["subject"]) == ("program-crash", "api")
    rollout = next(step for step in done.document["steps"] if step["name"] == "rollout")
    assert rollout["seconds"] < 40


def test_a_crash_loop_whose_looks_are_throttled_is_called_all_the_same(world: World) -> None:
    released(world)
    world.commit("second", api=crashing(3))
    world.sim.faults.throttle("ListTasks", times=2)
    done = world.run("deploy")
    says = ("ecs:ListTasks was throttled", "api: the program exits (container api: exit 3); restored")
    assert_end(done, 10, "rolled_back", says, (45, 90), PUT_BACK, 42, "unhealthy")
    service = world.sim.state.services["dev", "dev-api"]
    crashed = [task for task in world.sim.state.tasks_of(service) if task.definition.revision == 3]
    assert len(crashed) <= 4  # two at a time, twice
