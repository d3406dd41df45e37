"""Rollouts in the sandbox take the course they take on ECS."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import pytest

from tests.flow.sandbox_kit import Sandbox, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox


def _messages(service: dict[str, Any]) -> str:
    return "\n".join(e["message"] for e in service["events"])


def test_a_rollout_replaces_healthy_tasks_without_losing_one_request(sandbox: Sandbox) -> None:
    sandbox.well("test-api", VERSION="one")
    answers: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                status, _, body = sandbox.direct("/api/version")
                answers["one" if '"one"' in body else "two" if '"two"' in body else str(status)] += 1
            except OSError as error:
                answers[type(error).__name__] += 1
            time.sleep(0.01)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    began = time.monotonic()
    deployment = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), VERSION="two")
    service = sandbox.steady("test-api")
    took = time.monotonic() - began
    time.sleep(1.5)
    over.set()
    for asker in askers:
        asker.join()
    assert set(answers) == {"one", "two"}, answers
    assert answers["two"] > 20
    assert took < 15
    assert service["deployments"][0]["id"] == deployment["id"]
    assert f"(deployment {deployment['id']}) deployment completed." in _messages(service)
    assert service["events"][0]["message"] == "(service test-api) has reached a steady state."


def test_running_tasks_name_their_deployment_and_the_manifest_digest(sandbox: Sandbox) -> None:
    service = sandbox.well("test-api")
    image = sandbox.pushed("shop/api", "1")
    tasks = sandbox.tasks("test-api")
    assert len(tasks) == 2
    for task in tasks:
        assert task["startedBy"] == service["deployments"][0]["id"]
        assert task["startedBy"].startswith("ecs-svc/")
        assert task["containers"][0]["imageDigest"] == image.partition("@")[2]
        details = {d["name"]: d["value"] for d in task["attachments"][0]["details"]}
        assert details["privateIPv4Address"].startswith("172.")
        assert details["subnetId"].startswith("subnet-")


def test_a_crashing_image_is_counted_said_and_replaced_ever_more_slowly_while_the_old_tasks_serve(
    sandbox: Sandbox,
) -> None:
    sandbox.well("test-api", VERSION="old")
    began = time.monotonic()
    deployment = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), MODE="crash")
    assert deployment["rolloutState"] == "IN_PROGRESS"
    sandbox.until("test-api", lambda s: s["deployments"][0]["failedTasks"] >= 2)
    took = time.monotonic() - began
    service = sandbox.until("test-api", lambda s: s["deployments"][0]["failedTasks"] >= 4)
    stopped = [t for t in sandbox.tasks("test-api", "STOPPED") if t["startedBy"] == deployment["id"]]
    assert {t["stopCode"] for t in stopped} == {"EssentialContainerExited"}
    assert {t["stoppedReason"] for t in stopped} == {"Essential container in task exited"}
    assert {t["containers"][0]["exitCode"] for t in stopped} == {3}
    assert "unable to consistently start tasks successfully" in _messages(service)
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert '"old"' in sandbox.direct("/api/version")[2]
    assert took < 6
    logs = sandbox.client("logs")
    stream = f"ecs/api/{stopped[0]['taskArn'].rpartition('/')[2]}"
    lines = logs.get_log_events(logGroupName="/ecs/test-shop/api", logStreamName=stream)["events"]
    assert [e["message"] for e in lines] == ["starting crash", "cannot find the database"]
    sandbox.well("test-api")


def test_the_circuit_breaker_rolls_back_and_the_failed_deployment_goes_away(sandbox: Sandbox) -> None:
    before = sandbox.well("test-api", VERSION="good")
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200,
               "minimumHealthyPercent": 100}  # fmt: skip
    sandbox.ecs.update_service(cluster="shop-test", service="test-api", deploymentConfiguration=breaker)
    bad = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), MODE="crash")
    seen = sandbox.until("test-api", lambda s: any(d["rolloutState"] == "FAILED" for d in s["deployments"]))
    failed = next(d for d in seen["deployments"] if d["rolloutState"] == "FAILED")
    assert failed["id"] == bad["id"]
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    after = sandbox.steady("test-api")
    assert after["taskDefinition"] == before["taskDefinition"]
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"]
    assert f"rolling back to deployment {before['deployments'][0]['id']}." in _messages(after)
    found = sandbox.ecs.list_service_deployments(cluster="shop-test", service="test-api")["serviceDeployments"]
    assert found[0]["status"] == "ROLLBACK_SUCCESSFUL"
    breaker["deploymentCircuitBreaker"] = {"enable": False, "rollback": False}
    sandbox.ecs.update_service(cluster="shop-test", service="test-api", deploymentConfiguration=breaker)


def test_a_task_that_fails_its_load_balancers_check_is_stopped_in_awss_words(sandbox: Sandbox) -> None:
    sandbox.well("test-api")
    deployment = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), MODE="ill")
    service = sandbox.until("test-api", lambda s: s["deployments"][0]["failedTasks"] >= 1)
    group = sandbox.group("test-api")
    stopped = [t for t in sandbox.tasks("test-api", "STOPPED") if t["startedBy"] == deployment["id"]]
    assert {t["stoppedReason"] for t in stopped} == {f"Task failed ELB health checks in (target-group {group})"}
    assert "Health checks failed with these codes: [500]" in _messages(service)
    sandbox.well("test-api")


def test_a_rollout_waits_for_targets_to_become_healthy(sandbox: Sandbox) -> None:
    sandbox.well("test-api")
    deployment = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), BOOT="2")
    sandbox.until("test-api", lambda s: s["deployments"][0]["runningCount"] == 2)
    # the old two answer; the new ones do not yet, and become unhealthy where this look comes late
    assert sandbox.health("test-api").count("healthy") == 2
    assert {"initial", "unhealthy"} & set(sandbox.health("test-api"))
    assert sandbox.service("test-api")["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    service = sandbox.steady("test-api")
    assert service["deployments"][0]["id"] == deployment["id"]
    assert sandbox.health("test-api") == ["healthy", "healthy"]


def test_a_missing_image_is_a_task_that_failed_to_start(sandbox: Sandbox) -> None:
    sandbox.well("test-api")
    missing = sandbox.pushed("shop/api", "1").partition("@")[0] + ":never-pushed"
    deployment = sandbox.roll_out("test-api", missing)
    sandbox.until("test-api", lambda s: s["deployments"][0]["failedTasks"] >= 2)
    stopped = [t for t in sandbox.tasks("test-api", "STOPPED") if t["startedBy"] == deployment["id"]]
    assert {t["stopCode"] for t in stopped} == {"TaskFailedToStart"}
    assert all(t["stoppedReason"].startswith("CannotPullContainerError: pull image manifest") for t in stopped)
    assert "exitCode" not in stopped[0]["containers"][0]
    sandbox.well("test-api")


def test_a_stopped_service_deployment_goes_back_to_the_revision_before(sandbox: Sandbox) -> None:
    before = sandbox.well("test-api")
    sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), MODE="crash")
    newest = sandbox.ecs.list_service_deployments(cluster="shop-test", service="test-api")["serviceDeployments"][0]
    assert newest["status"] == "IN_PROGRESS"
    arn = newest["serviceDeploymentArn"]
    assert sandbox.ecs.stop_service_deployment(serviceDeploymentArn=arn)["serviceDeploymentArn"] == arn
    after = sandbox.steady("test-api")
    assert after["taskDefinition"] == before["taskDefinition"]
    described = sandbox.ecs.describe_service_deployments(serviceDeploymentArns=[arn, f"{arn}x"])
    assert described["serviceDeployments"][0]["status"] == "ROLLBACK_SUCCESSFUL"
    assert described["failures"] == [{"arn": f"{arn}x", "reason": "MISSING"}]
    revision = described["serviceDeployments"][0]["targetServiceRevision"]["arn"]
    found = sandbox.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
    assert found["taskDefinition"] != before["taskDefinition"]
    with pytest.raises(sandbox.ecs.exceptions.ConflictException):
        sandbox.ecs.stop_service_deployment(serviceDeploymentArn=arn)


def test_a_newer_deployment_supersedes_one_under_way(sandbox: Sandbox) -> None:
    sandbox.well("test-api")
    first = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), BOOT="5", VERSION="first")
    second = sandbox.roll_out("test-api", sandbox.pushed("shop/api", "1"), VERSION="second")
    service = sandbox.steady("test-api")
    assert service["deployments"][0]["id"] == second["id"] != first["id"]
    statuses = [d["status"] for d in sandbox.ecs.list_service_deployments(
        cluster="shop-test", service="test-api")["serviceDeployments"]]  # fmt: skip
    assert statuses[:2] == ["SUCCESSFUL", "STOPPED"]
    assert '"second"' in sandbox.direct("/api/version")[2]


def test_update_service_refuses_unknown_and_inactive_revisions(sandbox: Sandbox) -> None:
    service = sandbox.well("test-worker")
    with pytest.raises(sandbox.ecs.exceptions.ClientException, match="TaskDefinition not found"):
        sandbox.ecs.update_service(cluster="shop-test", service="test-worker", taskDefinition="test-worker:999")
    gone = sandbox.registered("test-worker", "anything:1")
    sandbox.ecs.deregister_task_definition(taskDefinition=gone)
    with pytest.raises(sandbox.ecs.exceptions.ClientException, match="inactive"):
        sandbox.ecs.update_service(cluster="shop-test", service="test-worker", taskDefinition=gone)
    with pytest.raises(sandbox.ecs.exceptions.ServiceNotFoundException):
        sandbox.ecs.update_service(cluster="shop-test", service="nobody", desiredCount=1)
    assert sandbox.service("test-worker")["taskDefinition"] == service["taskDefinition"]


def test_a_worker_without_a_port_is_steady_when_it_keeps_running(sandbox: Sandbox) -> None:
    service = sandbox.well("test-worker")
    assert service["loadBalancers"] == []
    assert service["runningCount"] == 1
    bad = sandbox.roll_out("test-worker", sandbox.pushed("shop/worker", "1"), MODE="crash")
    seen = sandbox.until("test-worker", lambda s: s["deployments"][0]["failedTasks"] >= 2)
    assert seen["deployments"][0]["id"] == bad["id"]
    assert seen["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    sandbox.well("test-worker")


def test_scaling_to_zero_and_back_needs_no_new_deployment(sandbox: Sandbox) -> None:
    before = sandbox.well("test-worker")
    sandbox.ecs.update_service(cluster="shop-test", service="test-worker", desiredCount=0)
    sandbox.until("test-worker", lambda s: s["runningCount"] == 0)
    sandbox.ecs.update_service(cluster="shop-test", service="test-worker", desiredCount=1)
    after = sandbox.steady("test-worker")
    assert after["deployments"][0]["id"] == before["deployments"][0]["id"]


def test_one_writer_is_stopped_before_the_next_one_starts(sandbox: Sandbox) -> None:
    sandbox.well("test-worker")
    alone = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    sandbox.ecs.update_service(cluster="shop-test", service="test-worker", deploymentConfiguration=alone)
    while any(t["lastStatus"] != "STOPPED" for t in sandbox.tasks("test-worker", "STOPPED")):
        time.sleep(0.05)
    sandbox.roll_out("test-worker", sandbox.pushed("shop/worker", "1"), VERSION="next")
    most = 0
    while [d["rolloutState"] for d in sandbox.service("test-worker")["deployments"]] != ["COMPLETED"]:
        everybody = {t["taskArn"]: t for s in ("RUNNING", "STOPPED") for t in sandbox.tasks("test-worker", s)}
        most = max(most, sum(t["lastStatus"] != "STOPPED" for t in everybody.values()))
    assert most == 1
    both = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    sandbox.ecs.update_service(cluster="shop-test", service="test-worker", deploymentConfiguration=both)
