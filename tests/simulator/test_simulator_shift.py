"""Blue/green, canary and linear rollouts in the simulator, seen by raw boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.simulator import Behaviour, Simulator
from tests.simulator.simulator_kit import Bench

BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 3}
ORDER = [
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def answering(name: str) -> Behaviour:
    return Behaviour(answers={"*": (200, name)})


def bench(sim: Simulator, **shifting: Any) -> Bench:
    """One service of two tasks that answers "blue"."""
    made = Bench(sim, routes=("/*",), shifting={**BLUE_GREEN, **shifting})
    sim.image(made.served.digest, answering("blue"))
    made.ecs.update_service(service=made.name, forceNewDeployment=True)
    sim.clock.advance(600)
    assert made.deployments() == [("1", "PRIMARY", "COMPLETED")]
    return made


def until(made: Bench, stage: str) -> None:
    for _ in range(2000):
        if made.newest_record().get("lifecycleStage") == stage:
            return
        made.sim.clock.advance(1)
    raise AssertionError(f"never {stage}: {made.newest_record()}")


def answers(made: Bench, number: int = 1) -> list[str]:
    return [requests.get(made.sim.url, timeout=5).text for _ in range(number)]


def group(made: Bench, revision: int) -> str:
    """The target group in which the tasks of a revision are, by the service revision's own word."""
    arns = [
        b["targetServiceRevisionArn"] for b in made.ecs.list_service_deployments(service="web")["serviceDeployments"]
    ]
    found = made.ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"]
    newest = next(r for r in found if r["taskDefinition"].endswith(f":{revision}"))
    return str(newest["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"])


def test_the_stages_come_in_their_order_and_the_requests_move_at_once(sim: Simulator) -> None:
    made = bench(sim)
    made.update(made.release("second", answering("green")))
    seen: list[str] = []
    for _ in range(600):
        record = made.newest_record()
        stage = record.get("lifecycleStage")
        if stage and stage not in seen:
            seen.append(stage)
        shifted = stage in ORDER[5:]
        assert answers(made) == ["green" if shifted else "blue"]
        if record["status"] == "SUCCESSFUL":
            break
        sim.clock.advance(1)
    assert seen == ORDER
    assert made.deployments() == [("2", "PRIMARY", "COMPLETED")]


def test_both_revisions_run_while_it_bakes_and_the_old_one_goes_afterwards(sim: Simulator) -> None:
    made = bench(sim)
    made.update(made.release("second", answering("green")))
    until(made, "BAKE_TIME")
    record = made.newest_record()
    assert record["status"] == "IN_PROGRESS"
    assert record["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
    assert made.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    assert made.service()["runningCount"] == 4
    sim.clock.advance(170)
    assert made.newest_record()["lifecycleStage"] == "BAKE_TIME"
    sim.clock.advance(60)
    assert (made.newest_record()["status"], made.service()["runningCount"]) == ("SUCCESSFUL", 2)


def test_the_two_target_groups_take_turns(sim: Simulator) -> None:
    made = bench(sim)
    balancer = made.service()["loadBalancers"][0]
    both = {balancer["targetGroupArn"], balancer["advancedConfiguration"]["alternateTargetGroupArn"]}
    first = group(made, 1)
    made.update(made.release("second"))
    sim.clock.advance(600)
    second = group(made, 2)
    assert {first, second} == both
    healthy = made.elb.describe_target_health(TargetGroupArn=second)["TargetHealthDescriptions"]
    assert [each["TargetHealth"]["State"] for each in healthy] == ["healthy", "healthy"]
    assert made.elb.describe_target_health(TargetGroupArn=first)["TargetHealthDescriptions"] == []
    assert made.service()["loadBalancers"][0] == balancer


def test_a_stop_while_it_bakes_moves_the_requests_back_at_once(sim: Simulator) -> None:
    made = bench(sim)
    made.update(made.release("second", answering("green")))
    until(made, "BAKE_TIME")
    assert answers(made) == ["green"]
    made.ecs.stop_service_deployment(
        serviceDeploymentArn=made.newest_record()["serviceDeploymentArn"], stopType="ROLLBACK"
    )
    sim.clock.advance(2)
    assert answers(made) == ["blue"]
    sim.clock.advance(60)
    assert made.newest_record()["status"] == "ROLLBACK_SUCCESSFUL"
    assert made.deployments() == [("1", "PRIMARY", "COMPLETED")]


def test_new_tasks_that_crash_get_no_request_and_trip_the_breaker(sim: Simulator) -> None:
    made = Bench(sim, routes=("/*",), shifting=BLUE_GREEN, breaker=True)
    sim.image(made.served.digest, answering("blue"))
    made.ecs.update_service(service=made.name, forceNewDeployment=True)
    sim.clock.advance(600)
    made.update(made.release("second", Behaviour(exits=(2.0, 1))))
    for _ in range(120):
        assert answers(made) == ["blue"]
        sim.clock.advance(1)
    assert made.newest_record()["status"] == "ROLLBACK_SUCCESSFUL"
    assert made.deployments() == [("1", "PRIMARY", "COMPLETED")]


def test_a_newer_rollout_replaces_the_one_that_does_not_serve_yet(sim: Simulator) -> None:
    made = bench(sim)
    made.update(made.release("second", answering("green")))
    until(made, "POST_SCALE_UP")
    made.update(made.release("third", answering("third")))
    sim.clock.advance(2)
    assert made.newest_record()["lifecycleStage"] == "RECONCILE_SERVICE"
    assert answers(made) == ["blue"]
    sim.clock.advance(600)
    assert made.deployments() == [("3", "PRIMARY", "COMPLETED")]
    assert answers(made) == ["third"]


def test_a_canary_gets_its_share_first(sim: Simulator) -> None:
    canary = {"canaryPercent": 25.0, "canaryBakeTimeInMinutes": 2}
    made = bench(sim, strategy="CANARY", canaryConfiguration=canary)
    made.update(made.release("second", answering("green")))
    until(made, "PRODUCTION_TRAFFIC_SHIFT")
    assert 10 <= answers(made, 100).count("green") <= 40
    sim.clock.advance(130)
    assert answers(made) == ["green"]


def test_a_linear_rollout_moves_the_same_share_at_each_step(sim: Simulator) -> None:
    linear = {"stepPercent": 50.0, "stepBakeTimeInMinutes": 1}
    made = bench(sim, strategy="LINEAR", linearConfiguration=linear)
    made.update(made.release("second", answering("green")))
    until(made, "PRODUCTION_TRAFFIC_SHIFT")
    assert made.newest_record()["targetServiceRevision"]["requestedProductionTrafficWeight"] == 50
    sim.clock.advance(70)
    assert made.newest_record()["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100
    sim.clock.advance(400)
    assert made.deployments() == [("2", "PRIMARY", "COMPLETED")]
