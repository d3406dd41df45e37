"""What keeps a rollout in the simulator from going on, and answers that lag behind, seen by raw boto3."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator import Simulator
from tests.simulator.simulator_kit import Bench


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def test_services_are_described_as_before_an_update_until_the_lag_is_over(sim: Simulator) -> None:
    bench = Bench(sim)
    sim.state.lag = 4.0
    bench.update(bench.release("second"))
    sim.clock.advance(3)
    assert bench.deployments() == [("1", "PRIMARY", "COMPLETED")]
    sim.clock.advance(1)
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]


def test_protected_tasks_stay_until_their_protection_ends(sim: Simulator) -> None:
    bench = Bench(sim)
    old = [task["taskArn"] for task in bench.tasks()]
    answer = bench.ecs.update_task_protection(cluster="default", tasks=old, protectionEnabled=True, expiresInMinutes=5)
    assert [task["protectionEnabled"] for task in answer["protectedTasks"]] == [True, True]
    bench.update(bench.release("second"))
    sim.clock.advance(290)
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    assert any(
        event.endswith("was unable to scale in due to (reason 2 tasks under protection)") for event in bench.events()
    )
    sim.clock.advance(60)
    assert bench.deployments() == [("2", "PRIMARY", "COMPLETED")]


def test_percentages_that_allow_neither_a_stop_nor_a_start_are_said_and_nothing_moves(sim: Simulator) -> None:
    bench = Bench(sim, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100})
    bench.update(bench.release("second"))
    sim.clock.advance(600)
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    assert sum("was unable to stop or start tasks during a deployment" in event for event in bench.events()) == 1


def test_half_of_the_tasks_at_a_time_is_no_reason_to_complain(sim: Simulator) -> None:
    bench = Bench(sim, deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 100})
    bench.update(bench.release("second"))
    sim.clock.advance(600)
    assert bench.deployments() == [("2", "PRIMARY", "COMPLETED")]
    assert not any("unable" in event for event in bench.events())


def test_tasks_that_find_no_place_are_said_and_tried_again(sim: Simulator) -> None:
    bench = Bench(sim)
    service = sim.state.services["default", bench.name]
    service.no_place = "Capacity is unavailable at this time."
    bench.update(bench.release("second"))
    sim.clock.advance(300)
    deployment = bench.service()["deployments"][0]
    assert (deployment["rolloutState"], deployment["runningCount"], deployment["pendingCount"]) == ("IN_PROGRESS", 0, 0)
    assert deployment["failedTasks"] == 0
    service.no_place = None
    sim.clock.advance(120)
    assert bench.deployments() == [("2", "PRIMARY", "COMPLETED")]
