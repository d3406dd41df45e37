"""Releases of more than the usual size: many services, tasks and revisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.ends import BOTH, PUT_BACK, assert_end
from tests.flow.larger import many
from tests.flow.world import World, crashing, healthy, shop

POLLS = "DescribeServices"
TEN = {"RegisterTaskDefinition": 10, "UpdateService": 10}
THREE_MINUTES = healthy(start=60.0, healthy_after=95.0)  # and 20 s until the old tasks are gone


@pytest.fixture
def ten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with many(tmp_path / "shop", monkeypatch, 10) as made:
        yield made


def test_ten_services_are_rolled_out_side_by_side_with_few_polls(ten: World) -> None:
    ten.commit("first", THREE_MINUTES)
    done = ten.run("deploy")
    says = "released; no endpoints to check"
    assert_end(done, 0, "deployed", says, (170, 190), TEN, 160, "unchecked")
    assert [service["changed"] for service in done.document["services"].values()] == [True] * 10
    # tasks are listed once for each service, behind its COMPLETED: none is looked at meanwhile
    assert (done.count("ListTasks"), done.count("DescribeTasks")) == (10, 10)
    assert done.count(POLLS) <= 90


def test_one_crash_among_ten_ends_the_release_and_puts_back_all_ten(ten: World) -> None:
    ten.commit("first")
    assert ten.run("deploy").code == 0
    ten.commit("second", THREE_MINUTES, s7=crashing(4))
    done = ten.run("deploy")
    says = "s7: the program exits (container s7: exit 4); restored"
    assert_end(done, 10, "rolled_back", says, (25, 60), {**TEN, "StopServiceDeployment": 10}, 200, "unhealthy")
    assert [(finding["id"], finding["subject"]) for finding in done.document["findings"]] == [("program-crash", "s7")]
    assert {key: ten.running(key) for key in ten.services} == {key: f"dev-{key}:2" for key in ten.services}
    looks = done.count("ListTasks") + done.count("DescribeTasks") - 20  # besides those behind the ten that went back
    assert done.count(POLLS) + looks <= 90


def test_twelve_services_take_two_calls_a_poll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with many(tmp_path / "shop", monkeypatch, 12) as world:
        world.commit("first")
        done = world.run("deploy")
    calls = {"RegisterTaskDefinition": 12, "UpdateService": 12}
    assert_end(done, 0, "deployed", "released; no endpoints to check", (30, 60), calls, 190, "unchecked")
    asked = [len(call.params["services"]) for call in world.sim.calls if call.operation == POLLS]
    assert max(asked) == 10


def test_more_than_a_hundred_tasks_are_looked_at_page_by_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path / "shop", monkeypatch, count=120) as world:
        sha = world.commit("first")
        done = world.run("deploy")
        assert_end(done, 0, "deployed", "released and healthy", (150, 180), BOTH, 45, "healthy")
        assert {service["sha"] for service in done.document["services"].values()} == {sha}
        listed = [call.params for call in world.sim.calls if call.operation == "ListTasks"]
        described = [len(call.params["tasks"]) for call in world.sim.calls if call.operation == "DescribeTasks"]
        assert any("nextToken" in params for params in listed)
        assert {*described} == {100, 20}


def test_a_crash_loop_of_more_than_a_hundred_tasks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path / "shop", monkeypatch, count=120) as world:
        world.commit("first")
        assert world.run("deploy").code == 0
        world.commit("second", api=crashing(3))
        done = world.run("deploy")
        says = "api: the program exits (container api: exit 3); restored"
        assert_end(done, 10, "rolled_back", says, (45, 80), PUT_BACK, 60, "unhealthy")
        cause = done.document["findings"][0]
        assert (cause["id"], cause["subject"], world.running("api")) == ("program-crash", "api", "dev-api:2")


def test_a_family_of_more_than_a_hundred_revisions_costs_no_more_calls(world: World) -> None:
    live = world.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:1"})["taskDefinition"]
    body = {name: live[name] for name in ("family", "containerDefinitions", "cpu", "memory", "networkMode")}
    for _ in range(130):
        world.sim.ecs.register_task_definition(body)
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:131"})
    world.sim.clock.advance(300)
    world.commit("first")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (150, 180), BOTH, 45, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:132", "dev-web:2")
    world.commit("second")
    again = world.run("deploy")
    assert_end(again, 0, "deployed", "released and healthy", (150, 180), BOTH, 45, "healthy")
    assert world.running("api") == "dev-api:133"
    assert again.count("ListTaskDefinitions") <= 4
    assert again.count("DescribeTaskDefinition") <= 10
    back = world.run("rollback")
    calls = {**BOTH, "RegisterTaskDefinition": 0}
    assert_end(back, 0, "rolled_back", "is back and healthy", (150, 180), calls, 45, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:132", "dev-web:2")
