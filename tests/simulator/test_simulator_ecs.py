"""Rollouts in the simulator, seen by raw boto3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError

from tests.simulator import Behaviour, Simulator, clients
from tests.simulator.simulator_kit import Bench


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_a_steady_rollout_completes_once_the_new_tasks_are_healthy_and_the_old_ones_gone(sim: Simulator) -> None:
    bench = Bench(sim)
    before = {task["taskArn"] for task in bench.tasks()}
    deployment = bench.update(bench.release("second"))
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    sim.clock.advance(12)
    assert bench.target_states() == ["healthy", "healthy", "initial", "initial"]
    assert bench.service()["runningCount"] == 4
    sim.clock.advance(20)
    assert bench.target_states() == ["draining", "draining", "healthy", "healthy"]
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    # 15 s of draining, 2 s from the signal to the end, 3 s for the network interface, after 1 + 10 + 20 s.
    assert bench.seconds_until("COMPLETED") == 51 - 32
    assert bench.deployments() == [("2", "PRIMARY", "COMPLETED")]
    after = bench.tasks()
    assert {task["startedBy"] for task in after} == {deployment}
    assert {task["group"] for task in after} == {"service:web"}
    assert not before & {task["taskArn"] for task in after}
    stopped = bench.tasks("STOPPED")
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    assert bench.events()[-2:] == [f"(deployment {deployment}) deployment completed.", "has reached a steady state."]


def test_a_slow_start_keeps_the_old_tasks_serving_and_ends_well(sim: Simulator) -> None:
    bench = Bench(sim, routes=("/*",))
    bench.update(bench.release("slow", Behaviour(start=120, healthy_after=300)))
    sim.clock.advance(400)
    assert bench.deployments() == [("2", "PRIMARY", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    assert bench.target_states().count("healthy") == 2
    assert requests.get(f"{sim.url}/", timeout=5).status_code == 200
    assert bench.seconds_until("COMPLETED") == 1 + 120 + 300 + 20 - 400


def test_a_crash_loop_without_a_breaker_goes_on_and_says_why(sim: Simulator) -> None:
    bench = Bench(sim)
    deployment = bench.update(bench.release("bad", Behaviour(exits=(3, 137), log_lines=["starting", "out of memory"])))
    sim.clock.advance(300)
    service = bench.service()
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert service["deployments"][0]["failedTasks"] > 10
    assert service["deployments"][1]["runningCount"] == 2
    assert any("is unable to consistently start tasks successfully" in text for text in bench.events())
    crashed = [task for task in bench.tasks("STOPPED") if task["startedBy"] == deployment]
    assert {task["stopCode"] for task in crashed} == {"EssentialContainerExited"}
    assert {task["stoppedReason"] for task in crashed} == {"Essential container in task exited"}
    assert {task["containers"][0]["exitCode"] for task in crashed} == {137}
    task_id = crashed[0]["taskArn"].rpartition("/")[2]
    lines = bench.logs.get_log_events(logGroupName="/ecs/web", logStreamName=f"ecs/web/{task_id}", startFromHead=True)
    assert [event["message"] for event in lines["events"]] == ["starting", "out of memory"]


def test_tasks_started_together_fail_together_and_are_replaced_ten_seconds_later(sim: Simulator) -> None:
    bench = Bench(sim)
    deployment = bench.update(bench.release("bad", Behaviour(exits=(3, 1))))
    sim.clock.advance(50)
    created = [task["createdAt"] for task in bench.tasks("STOPPED") if task["startedBy"] == deployment]
    starts = sorted(set(created))
    assert [created.count(moment) for moment in starts] == [2, 2]
    assert (starts[1] - starts[0]).total_seconds() == 10 + 3 + 10


def test_the_breaker_fails_the_deployment_after_three_failures_and_goes_back(sim: Simulator) -> None:
    bench = Bench(sim, breaker=True)
    old = bench.service()["deployments"][0]["id"]
    deployment = bench.update(bench.release("bad", Behaviour(exits=(3, 1))))
    sim.clock.advance(38)
    first, second = bench.service()["deployments"]
    assert (first["id"], first["status"], first["rolloutState"]) == (old, "PRIMARY", "IN_PROGRESS")
    assert (second["id"], second["status"], second["rolloutState"]) == (deployment, "ACTIVE", "FAILED")
    assert second["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert second["failedTasks"] == 3
    assert bench.newest_record()["status"] == "ROLLBACK_IN_PROGRESS"
    bench.seconds_until("COMPLETED")
    assert bench.deployments() == [("1", "PRIMARY", "COMPLETED")]
    record = bench.newest_record()
    assert record["status"] == "ROLLBACK_SUCCESSFUL"
    assert record["rollback"]["serviceRevisionArn"] == record["sourceServiceRevisions"][0]["arn"]
    assert f"rolling back to deployment {old}." in bench.events()


def test_a_breaker_without_rollback_leaves_the_failed_deployment_primary_and_starts_nothing_more(
    sim: Simulator,
) -> None:
    bench = Bench(sim, breaker=False)
    bench.update(bench.release("bad", Behaviour(exits=(3, 1))))
    bench.seconds_until("FAILED")
    sim.clock.advance(600)
    assert bench.deployments() == [("2", "PRIMARY", "FAILED"), ("1", "ACTIVE", "COMPLETED")]
    assert [task["taskDefinitionArn"][-1] for task in bench.tasks()] == ["1", "1"]


@pytest.mark.parametrize(("desired", "failures"), [(1, 3), (6, 3), (7, 4), (25, 13), (500, 200)])
def test_the_breakers_threshold_is_half_the_desired_count_within_bounds(
    sim: Simulator, desired: int, failures: int
) -> None:
    bench = Bench(sim, breaker=True, count=1)
    definition = bench.release("bad", Behaviour(exits=(3, 1)))
    bench.update(definition, desiredCount=desired)
    failed = 0
    for _ in range(200):
        sim.clock.advance(1)
        found = [entry for entry in bench.service()["deployments"] if entry["taskDefinition"] == definition]
        if found and found[0]["rolloutState"] == "FAILED":
            failed = found[0]["failedTasks"]
            break
    assert failed == failures


def test_a_missing_image_stops_tasks_before_they_start_and_ecs_waits_longer_each_time(sim: Simulator) -> None:
    bench = Bench(sim)
    definition = bench.release("lost")
    image = bench.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]["containerDefinitions"][0]
    [ecr] = clients(sim, "ecr")
    digest = image["image"].partition("@")[2]
    ecr.batch_delete_image(repositoryName="web", imageIds=[{"imageDigest": digest}])
    deployment = bench.update(definition)
    sim.clock.advance(900)
    failed = [task for task in bench.tasks("STOPPED") if task["startedBy"] == deployment]
    assert {task["stopCode"] for task in failed} == {"TaskFailedToStart"}
    assert all(task["stoppedReason"].startswith("CannotPullContainerError: ") for task in failed)
    assert all("imageDigest" not in task["containers"][0] for task in failed)
    starts = sorted({task["createdAt"] for task in failed})
    gaps = [(after - before).total_seconds() for before, after in pairwise(starts)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 4 * gaps[0]


def test_a_missing_secret_is_named_in_the_reason(sim: Simulator) -> None:
    arn = sim.secrets.put("site/api", "{}")
    bench = Bench(sim)
    live = bench.ecs.describe_task_definition(taskDefinition="web")["taskDefinition"]["containerDefinitions"]
    live[0]["secrets"] = [{"name": "KEY", "valueFrom": f"{arn.replace('site/api', 'site/none')}:key::"}]
    answer = bench.ecs.register_task_definition(family="web", containerDefinitions=live)
    bench.update(answer["taskDefinition"]["taskDefinitionArn"])
    sim.clock.advance(10)
    reason = bench.tasks("STOPPED")[0]["stoppedReason"]
    assert reason.startswith("ResourceInitializationError: unable to pull secrets")
    assert "site/none" in reason


def test_failing_health_checks_get_tasks_stopped_with_the_target_group_named(sim: Simulator) -> None:
    bench = Bench(sim, breaker=True)
    deployment = bench.update(bench.release("deaf", Behaviour(health_check_fails=True)))
    sim.clock.advance(12)
    assert bench.target_states().count("initial") == 2
    sim.clock.advance(29)
    stopped = [task for task in bench.tasks("STOPPED") if task["startedBy"] == deployment]
    assert {task["stopCode"] for task in stopped} == {"ServiceSchedulerInitiated"}
    group = bench.served.target_group
    assert {task["stoppedReason"] for task in stopped} == {f"Task failed ELB health checks in (target-group {group})"}
    assert any(f"is unhealthy in (target-group {group})" in text for text in bench.events())
    bench.seconds_until("COMPLETED")
    assert bench.deployments() == [("1", "PRIMARY", "COMPLETED")]


def test_the_grace_period_gives_failing_tasks_more_time(sim: Simulator) -> None:
    bench = Bench(sim, healthCheckGracePeriodSeconds=300)
    bench.update(bench.release("deaf", Behaviour(health_check_fails=True)))
    sim.clock.advance(1 + 10 + 299)
    assert bench.target_states().count("unhealthy") == 2
    sim.clock.advance(2)
    assert bench.service()["deployments"][0]["failedTasks"] == 2


def test_a_superseded_deployment_stops_and_disappears(sim: Simulator) -> None:
    bench = Bench(sim)
    bench.update(bench.release("second"))
    sim.clock.advance(15)
    superseded = bench.newest_record()["serviceDeploymentArn"]
    bench.update(bench.release("third"))
    states = [("3", "PRIMARY", "IN_PROGRESS"), ("2", "ACTIVE", "IN_PROGRESS"), ("1", "ACTIVE", "COMPLETED")]
    assert bench.deployments() == states
    bench.seconds_until("COMPLETED")
    assert bench.deployments() == [("3", "PRIMARY", "COMPLETED")]
    answer = bench.ecs.describe_service_deployments(serviceDeploymentArns=[superseded])
    assert answer["serviceDeployments"][0]["status"] == "STOPPED"
    assert bench.newest_record()["status"] == "SUCCESSFUL"


def test_a_stopped_service_deployment_goes_back_to_the_revision_before_it(sim: Simulator) -> None:
    bench = Bench(sim)
    deployment = bench.update(bench.release("second"))
    arn = bench.newest_record()["serviceDeploymentArn"]
    assert bench.newest_record()["status"] == "PENDING"
    sim.clock.advance(15)
    assert bench.newest_record()["status"] == "IN_PROGRESS"
    bench.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert bench.newest_record()["status"] == "ROLLBACK_REQUESTED"
    # One that rolls back already is left to it, without an error.
    bench.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    sim.clock.advance(2)
    assert bench.newest_record()["status"] == "ROLLBACK_IN_PROGRESS"
    assert bench.deployments() == [("1", "PRIMARY", "IN_PROGRESS"), ("2", "ACTIVE", "FAILED")]
    bench.seconds_until("COMPLETED")
    assert bench.newest_record()["status"] == "ROLLBACK_SUCCESSFUL"
    assert deployment not in {task["startedBy"] for task in bench.tasks()}
    with pytest.raises(ClientError) as refused:
        bench.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert code(refused) == "ConflictException"


def test_the_revision_before_need_not_be_the_one_that_ran(sim: Simulator) -> None:
    bench = Bench(sim)
    bench.update(bench.release("second"))
    sim.clock.advance(15)
    bench.update(bench.release("third"))
    sim.clock.advance(5)
    arn = bench.newest_record()["serviceDeploymentArn"]
    bench.ecs.stop_service_deployment(serviceDeploymentArn=arn)
    bench.seconds_until("COMPLETED")
    assert bench.deployments() == [("2", "PRIMARY", "COMPLETED")]


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to(sim: Simulator) -> None:
    sim.image("web", Behaviour(exits=(3, 1)))
    bench = Bench(sim, breaker=True, settle=False)
    bench.seconds_until("FAILED")
    sim.clock.advance(300)
    assert bench.deployments() == [("1", "PRIMARY", "FAILED")]
    assert bench.tasks() == []


def test_a_deregistered_revision_runs_on_and_can_be_read_but_not_rolled_out(sim: Simulator) -> None:
    bench = Bench(sim)
    first = bench.served.task_definition
    bench.update(bench.release("second"))
    bench.seconds_until("COMPLETED")
    bench.ecs.deregister_task_definition(taskDefinition=first)
    found = bench.ecs.describe_task_definition(taskDefinition=first)["taskDefinition"]
    assert found["status"] == "INACTIVE"
    assert found["deregisteredAt"] > found["registeredAt"]
    with pytest.raises(ClientError) as refused:
        bench.update(first)
    assert code(refused) == "ClientException"
    assert "inactive" in str(refused.value)
    listed = bench.ecs.list_task_definitions(familyPrefix="web")["taskDefinitionArns"]
    assert listed == [bench.service()["taskDefinition"]]
    assert bench.ecs.list_task_definitions(familyPrefix="web", status="INACTIVE")["taskDefinitionArns"] == [first]


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_other_controllers_have_no_deployments_and_refuse_a_task_definition(sim: Simulator, controller: str) -> None:
    bench = Bench(sim, controller=controller)
    service = bench.service()
    assert service["deploymentController"] == {"type": controller}
    assert service["deployments"] == []
    with pytest.raises(ClientError) as refused:
        bench.update(bench.release("second"))
    assert code(refused) == "InvalidParameterException"


def test_scaling_to_nothing_completes_and_scaling_up_again_starts_tasks(sim: Simulator) -> None:
    bench = Bench(sim)
    bench.ecs.update_service(service="web", desiredCount=0)
    sim.clock.advance(60)
    assert bench.service()["runningCount"] == 0
    bench.update(bench.release("second"))
    assert bench.seconds_until("COMPLETED") == 1
    bench.ecs.update_service(service="web", desiredCount=3)
    sim.clock.advance(60)
    assert bench.service()["runningCount"] == 3


def test_one_task_stops_before_the_next_starts_where_the_limits_say_so(sim: Simulator) -> None:
    limits = {"minimumHealthyPercent": 0, "maximumPercent": 100}
    bench = Bench(sim, count=1, deploymentConfiguration=limits)
    bench.update(bench.release("second"))
    sim.clock.advance(1)
    meant_to_run = [task["taskDefinitionArn"][-1] for task in bench.tasks()]
    assert meant_to_run == ["2"]
    assert bench.target_states() == ["draining"]


def test_spot_interruptions_and_stops_by_people_are_no_failures_and_are_replaced(sim: Simulator) -> None:
    bench = Bench(sim)
    first, second = bench.tasks()
    sim.ecs.interrupt(first["taskArn"])
    bench.ecs.stop_task(task=second["taskArn"], reason="maintenance")
    codes = {task["stopCode"]: task["stoppedReason"] for task in bench.tasks("STOPPED")}
    assert codes == {"SpotInterruption": "Spot Task interruption.", "UserInitiated": "maintenance"}
    assert bench.service()["deployments"][0]["failedTasks"] == 0
    sim.clock.advance(60)
    assert bench.service()["runningCount"] == 2


def test_a_task_of_run_task_ends_with_its_exit_code_and_its_token_is_remembered(sim: Simulator) -> None:
    bench = Bench(sim)
    definition = bench.release("migration", Behaviour(run_task=(30, 7), log_lines=["migrating"]))
    asked: dict[str, Any] = {"taskDefinition": definition, "clientToken": "t1", "startedBy": "deploykit/1"}
    [task] = bench.ecs.run_task(**asked)["tasks"]
    assert bench.ecs.run_task(**asked)["tasks"][0]["taskArn"] == task["taskArn"]
    with pytest.raises(ClientError) as refused:
        bench.ecs.run_task(**{**asked, "startedBy": "other"})
    assert code(refused) == "ConflictException"
    assert bench.ecs.list_tasks(startedBy="deploykit/1")["taskArns"] == [task["taskArn"]]
    with pytest.raises(ClientError):
        bench.ecs.list_tasks(startedBy="deploykit/1", desiredStatus="STOPPED")
    sim.clock.advance(45)
    [found] = bench.ecs.describe_tasks(tasks=[task["taskArn"]])["tasks"]
    assert (found["lastStatus"], found["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert found["containers"][0]["exitCode"] == 7
    sim.clock.advance(3700)
    assert bench.ecs.describe_tasks(tasks=[task["taskArn"]])["failures"][0]["reason"] == "MISSING"


def test_lists_come_in_pages(sim: Simulator) -> None:
    bench = Bench(sim, count=101, settle=False)
    sim.clock.advance(2)
    first = bench.ecs.list_tasks(serviceName="web")
    assert len(first["taskArns"]) == 100
    rest = bench.ecs.list_tasks(serviceName="web", nextToken=first["nextToken"])
    assert len(rest["taskArns"]) == 1
    assert "nextToken" not in rest
    with pytest.raises(ClientError) as refused:
        bench.ecs.describe_tasks(tasks=first["taskArns"] + rest["taskArns"])
    assert code(refused) == "InvalidParameterException"


def test_the_clock_starts_where_it_always_starts_and_moves_over_http_too(sim: Simulator) -> None:
    bench = Bench(sim, settle=False)
    assert bench.service()["createdAt"] == datetime(2026, 11, 21, 6, 0, 0, tzinfo=UTC)
    answer = requests.post(f"{sim.url}/_sim/advance", json={"seconds": 90.5}, timeout=5).json()
    assert answer == {"now": 90.5, "time": "2026-11-21T06:01:30.500000+00:00"}
    assert requests.get(f"{sim.url}/_sim/now", timeout=5).json() == answer
    assert bench.deployments() == [("1", "PRIMARY", "COMPLETED")]


def test_planned_faults_come_in_the_form_of_the_service_and_end(sim: Simulator) -> None:
    bench = Bench(sim)
    sim.faults.throttle("DescribeServices", times=2)
    for _ in range(2):
        with pytest.raises(ClientError) as refused:
            bench.service()
        assert code(refused) == "ThrottlingException"
    assert bench.service()["status"] == "ACTIVE"
    sim.faults.deny("UpdateService")
    with pytest.raises(ClientError) as refused:
        bench.ecs.update_service(service="web", desiredCount=3)
    assert code(refused) == "AccessDeniedException"
    assert "ecs:UpdateService" in str(refused.value)
    sim.faults.clear()
    sim.faults.cut("UpdateService")
    with pytest.raises((HTTPClientError, EndpointConnectionError)):
        bench.ecs.update_service(service="web", desiredCount=4)
    assert bench.service()["desiredCount"] == 4
    assert [call.error for call in sim.calls if call.operation == "DescribeServices"][:2] == ["ThrottlingException"] * 2


def test_the_site_answers_from_healthy_tasks_with_their_environment(sim: Simulator) -> None:
    sim.image(
        "web",
        Behaviour(answers={"/api/health": lambda env: (200, {"status": "ok", "version": env["GIT_SHA"]})}),
    )
    Bench(sim, routes=("/api/*",), environment={"GIT_SHA": "abc"})
    answer = requests.get(f"{sim.url}/api/health", headers={"Host": "example.com"}, timeout=5)
    assert answer.json() == {"status": "ok", "version": "abc"}
    assert requests.get(f"{sim.url}/api/other", timeout=5).status_code == 404
    for task in list(sim.state.tasks.values()):
        sim.tasks.fail_health(task)
    assert requests.get(f"{sim.url}/api/health", timeout=5).status_code == 503
