"""Tasks in the sandbox start, run and stop as on Fargate."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.flow.sandbox_kit import ACCOUNT, REGION, Sandbox, sandbox

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox


def _network(sandbox: Sandbox) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.service("test-worker")["networkConfiguration"]
    return found


def _definition(sandbox: Sandbox, family: str, container: dict[str, Any], **more: Any) -> str:
    live = sandbox.ecs.describe_task_definition(taskDefinition="test-worker")["taskDefinition"]
    shared = {f: live[f] for f in ("networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")}
    containers = [{"name": "main", "image": sandbox.pushed("shop/worker", "1"), **container}]
    request = {**shared, "family": family, "containerDefinitions": containers, **more}
    return str(sandbox.ecs.register_task_definition(**request)["taskDefinition"]["taskDefinitionArn"])


def _run(sandbox: Sandbox, definition: str, **more: Any) -> dict[str, Any]:
    answer = sandbox.ecs.run_task(cluster="shop-test", taskDefinition=definition, launchType="FARGATE",
                                  networkConfiguration=_network(sandbox), **more)  # fmt: skip
    task: dict[str, Any] = answer["tasks"][0]
    return task


def _until(sandbox: Sandbox, arn: str, status: str, seconds: float = 20) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        task: dict[str, Any] = sandbox.ecs.describe_tasks(cluster="shop-test", tasks=[arn])["tasks"][0]
        if task["lastStatus"] == status:
            return task
        time.sleep(0.05)
    raise AssertionError(task)


def _lines(sandbox: Sandbox, group: str, stream: str) -> list[str]:
    found = sandbox.client("logs").get_log_events(logGroupName=group, logStreamName=stream)["events"]
    return [e["message"] for e in found]


def _logged(group: str) -> dict[str, Any]:
    options = {"awslogs-group": group, "awslogs-region": REGION, "awslogs-stream-prefix": "run"}
    return {"logConfiguration": {"logDriver": "awslogs", "options": options}}


def test_entry_point_command_user_and_folder_of_the_container_definition_count(sandbox: Sandbox) -> None:
    program = "import os, sys; print(sys.argv[1], os.getuid(), os.getcwd())"
    definition = _definition(sandbox, "fields", {
        "entryPoint": ["python3", "-c", program], "command": ["given"], "user": "65534", "workingDirectory": "/tmp",
        **_logged("/ecs/test-shop/worker"),
    })  # fmt: skip
    task = _until(sandbox, _run(sandbox, definition)["taskArn"], "STOPPED")
    assert task["containers"][0]["exitCode"] == 0
    name = task["taskArn"].rpartition("/")[2]
    assert _lines(sandbox, "/ecs/test-shop/worker", f"run/main/{name}") == ["given 65534 /tmp"]


def test_containers_of_a_task_share_one_network_interface(sandbox: Sandbox) -> None:
    ask = "import time, urllib.request as u; time.sleep(1); print(u.urlopen('http://127.0.0.1:8000/x').status)"
    live = sandbox.ecs.describe_task_definition(taskDefinition="test-worker")["taskDefinition"]
    image = sandbox.pushed("shop/worker", "1")
    containers = [
        {"name": "server", "image": image, "essential": False, "environment": [{"name": "PORT", "value": "8000"}]},
        {"name": "asker", "image": image, "command": ["python3", "-c", ask], **_logged("/ecs/test-shop/worker")},
    ]
    fields = ("networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")
    definition = sandbox.ecs.register_task_definition(
        family="pair", containerDefinitions=containers, **{f: live[f] for f in fields}
    )["taskDefinition"]["taskDefinitionArn"]
    task = _until(sandbox, _run(sandbox, definition)["taskArn"], "STOPPED")
    assert [c.get("exitCode") for c in task["containers"]] == [7, 0]
    name = task["taskArn"].rpartition("/")[2]
    assert _lines(sandbox, "/ecs/test-shop/worker", f"run/asker/{name}") == ["200"]


def test_run_task_takes_overrides_and_is_idempotent_by_its_client_token(sandbox: Sandbox) -> None:
    definition = _definition(sandbox, "once", {**_logged("/ecs/test-shop/worker")})
    override = {"containerOverrides": [{"name": "main", "command": ["python3", "-c", "raise SystemExit(5)"],
                                        "environment": [{"name": "A", "value": "1"}]}]}  # fmt: skip
    first = _run(sandbox, definition, overrides=override, clientToken="token-1", startedBy="deploykit/one")
    again = _run(sandbox, definition, overrides=override, clientToken="token-1", startedBy="deploykit/one")
    assert first["taskArn"] == again["taskArn"]
    with pytest.raises(sandbox.ecs.exceptions.ConflictException) as conflict:
        _run(sandbox, definition, clientToken="token-1")
    assert conflict.value.response["resourceIds"] == [first["taskArn"]]
    assert _until(sandbox, first["taskArn"], "STOPPED")["containers"][0]["exitCode"] == 5
    found = sandbox.ecs.list_tasks(cluster="shop-test", startedBy="deploykit/one", desiredStatus="STOPPED")
    assert found["taskArns"] == [first["taskArn"]]
    with pytest.raises(sandbox.ecs.exceptions.InvalidParameterException):
        sandbox.ecs.list_tasks(cluster="shop-test", startedBy="deploykit/one", family="once")
    with pytest.raises(sandbox.ecs.exceptions.InvalidParameterException):
        _run(sandbox, definition, startedBy="deploykit:one")


def test_a_stopped_task_reports_the_exit_code_of_its_process(sandbox: Sandbox) -> None:
    definition = _definition(sandbox, "polite", {"environment": [{"name": "MODE", "value": "mute"}]})
    arn = _run(sandbox, definition)["taskArn"]
    _until(sandbox, arn, "RUNNING")
    time.sleep(0.5)  # the process sets its handler
    answered = sandbox.ecs.stop_task(cluster="shop-test", task=arn, reason="enough")["task"]
    assert answered["desiredStatus"] == "STOPPED"
    task = _until(sandbox, arn, "STOPPED")
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 7


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout(sandbox: Sandbox) -> None:
    definition = _definition(sandbox, "deaf", {"environment": [{"name": "MODE", "value": "deaf"}], "stopTimeout": 2})
    arn = _run(sandbox, definition)["taskArn"]
    _until(sandbox, arn, "RUNNING")
    time.sleep(0.5)
    began = time.monotonic()
    sandbox.ecs.stop_task(cluster="shop-test", task=arn)
    task = _until(sandbox, arn, "STOPPED")
    assert task["containers"][0]["exitCode"] == 137
    assert time.monotonic() - began > 1.5


def test_a_request_under_way_is_answered_before_its_task_is_stopped(sandbox: Sandbox) -> None:
    import threading

    sandbox.well("test-site")
    answers: list[int] = []
    asker = threading.Thread(target=lambda: answers.append(sandbox.direct("/slow?2")[0]))
    asker.start()
    time.sleep(0.3)
    arn = sandbox.tasks("test-site")[0]["taskArn"]
    sandbox.ecs.stop_task(cluster="shop-test", task=arn)
    assert "draining" in sandbox.health("test-site")
    asker.join()
    assert answers == [200]
    sandbox.steady("test-site")


def test_secrets_and_the_database_reach_the_container(sandbox: Sandbox) -> None:
    sandbox.well("test-api")
    environment = json.loads(sandbox.direct("/api/env")[2])
    stored = sandbox.client("secretsmanager").get_secret_value(SecretId="shop/keys")["SecretString"]
    assert environment["API_KEY"] == json.loads(stored)["api"]
    assert environment["OTHER"] == json.loads(stored)["other"] != environment["API_KEY"]
    assert environment["COLOUR"] == "blue"
    assert environment["AWS_REGION"] == REGION
    assert (environment["DB_NAME"], environment["DB_PORT"]) == ("shop", "5432")
    assert environment["DB_HOST"].startswith("172.")
    assert len(environment["DB_PASSWORD"]) == 32
    assert environment["DB_USERNAME"] == "app"


def test_a_missing_secret_role_or_log_group_is_named_when_the_task_fails_to_start(sandbox: Sandbox) -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:none-abcdef"
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
        "no-secret": ({"secrets": [{"name": "X", "valueFrom": arn}]}, {}, "unable to pull secrets"),
        "no-logs": (_logged("/nowhere"), {}, "specified log group does not exist"),
        "no-role": ({}, {"executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}, "unable to assume the role"),
    }
    for family, (container, more, words) in cases.items():
        task = _until(sandbox, _run(sandbox, _definition(sandbox, family, container, **more))["taskArn"], "STOPPED")
        assert task["stopCode"] == "TaskFailedToStart"
        assert words in task["stoppedReason"]


def test_a_secure_string_is_decrypted_for_the_container(sandbox: Sandbox) -> None:
    sandbox.client("ssm").put_parameter(Name="/shop/word", Value="sesame", Type="SecureString")
    program = "import os; print(os.environ['WORD'])"
    definition = _definition(sandbox, "word", {
        "command": ["python3", "-c", program], "secrets": [{"name": "WORD", "valueFrom": "/shop/word"}],
        **_logged("/ecs/test-shop/worker"),
    })  # fmt: skip
    task = _until(sandbox, _run(sandbox, definition)["taskArn"], "STOPPED")
    name = task["taskArn"].rpartition("/")[2]
    assert _lines(sandbox, "/ecs/test-shop/worker", f"run/main/{name}") == ["sesame"]


def test_a_task_definition_comes_back_as_it_was_registered(sandbox: Sandbox) -> None:
    arn = _definition(sandbox, "kept", {"essential": True}, enableFaultInjection=True,
                      tags=[{"key": "deploykit:sha", "value": "abc"}])  # fmt: skip
    plain = sandbox.ecs.describe_task_definition(taskDefinition=arn)
    assert "tags" not in plain
    assert plain["taskDefinition"]["enableFaultInjection"] is True
    assert "pidMode" not in plain["taskDefinition"]
    tagged = sandbox.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])
    assert tagged["tags"] == [{"key": "deploykit:sha", "value": "abc"}]
    with pytest.raises(sandbox.ecs.exceptions.ClientException, match="No Fargate configuration"):
        sandbox.ecs.register_task_definition(family="kept", cpu="300", memory="99", networkMode="awsvpc",
                                             requiresCompatibilities=["FARGATE"],
                                             containerDefinitions=[{"name": "a", "image": "b"}])  # fmt: skip
    assert _definition(sandbox, "kept", {}).endswith(":2")


def test_an_image_that_cannot_be_pulled_is_named_whichever_container_has_it(sandbox: Sandbox) -> None:
    good = {"name": "main", "image": sandbox.pushed("shop/worker", "1")}
    absent = {"name": "extra", "image": "127.0.0.1:1/absent:1"}  # nothing listens there
    definition = _definition(sandbox, "two-images", {}, containerDefinitions=[good, absent])
    stopped = _until(sandbox, _run(sandbox, definition)["taskArn"], "STOPPED")
    reason = "CannotPullContainerError: failed to pull image 127.0.0.1:1/absent:1: "
    assert stopped["stoppedReason"].startswith(reason)
