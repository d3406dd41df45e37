"""When a rollout is a crash loop, and what made it one."""

from __future__ import annotations

import pytest

from deploykit.targets.ecs.crash import crash_loop, failures
from tests.unit.makers import task

OURS = "ecs-svc/2"


def test_a_replacement_that_fails_alike_is_a_crash_loop() -> None:
    found = failures([task(1, 0, 5), task(2, 6, 11)], OURS)
    crash = crash_loop(found, 2)
    assert crash is not None
    assert (crash.cause, crash.signature.how, crash.task.id) == ("program-crash", "exit 1", f"{2:032x}")


def test_tasks_started_together_count_once() -> None:
    together = failures([task(1, 0, 5), task(2, 0.4, 5), task(3, 1, 6)], OURS)
    assert crash_loop(together, 2) is None
    assert crash_loop(failures([task(1, 0, 5), task(2, 0.4, 5), task(3, 5.5, 9)], OURS), 2) is not None


def test_another_exit_code_begins_to_count_anew() -> None:
    assert crash_loop(failures([task(1, 0, 5), task(2, 6, 11, exit_code=2)], OURS), 2) is None


def test_the_number_of_failures_in_a_row_is_configurable() -> None:
    tasks = [task(1, 0, 5), task(2, 6, 11), task(3, 12, 17)]
    assert crash_loop(failures(tasks[:2], OURS), 3) is None
    assert crash_loop(failures(tasks, OURS), 3) is not None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("SpotInterruption", "Your Spot Task was interrupted."),
        ("UserInitiated", "Task stopped by a person"),
        ("TerminationNotice", "EC2 instance is going away"),
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/2)"),
    ],
)
def test_stops_that_say_nothing_of_the_release_never_count(code: str, reason: str) -> None:
    stopped = [task(n, n * 10, n * 10 + 5, code=code, reason=reason, exit_code=137) for n in range(4)]
    assert failures(stopped, OURS) == []


def test_tasks_of_another_rollout_never_count() -> None:
    assert failures([task(1, 0, 5, started_by="ecs-svc/1"), task(2, 6, 9, started_by="ecs-svc/1")], OURS) == []


@pytest.mark.parametrize(
    ("code", "reason", "detail", "exit_code", "cause"),
    [
        (
            "TaskFailedToStart",
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
            "",
            None,
            "image-missing",
        ),
        ("EssentialContainerExited", "Essential container in task exited", "", 3, "program-crash"),
        (
            "EssentialContainerExited",
            "Essential container in task exited",
            "OutOfMemoryError: killed",
            137,
            "program-crash",
        ),
        (
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:…)",
            "",
            143,
            "load-balancer-check",
        ),
        ("ServiceSchedulerInitiated", "Task failed container health checks", "", 143, "container-check"),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed",
            "",
            None,
            "secret-missing",
        ),
        (
            "TaskFailedToStart",
            "Timeout waiting for network interface provisioning to complete.",
            "",
            None,
            "task-failed",
        ),
    ],
)
def test_the_cause_is_named_by_ecs_own_words(
    code: str, reason: str, detail: str, exit_code: int | None, cause: str
) -> None:
    tasks = [
        task(n, n * 10, n * 10 + 5, code=code, reason=reason, container_reason=detail, exit_code=exit_code)
        for n in (0, 1)
    ]
    crash = crash_loop(failures(tasks, OURS), 2)
    assert crash is not None
    assert crash.cause == cause
    assert reason in crash.reason


def test_the_container_that_failed_is_told_from_those_that_ecs_stopped_with_it() -> None:
    crash = failures([task(1, 0, 5, exit_code=7)], OURS)[0]
    assert crash.container is not None
    assert (crash.container.name, crash.container.exit_code) == ("web", 7)
