"""Every end of a rollout is recognised as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from deploykit.model.observed import Rollout
from deploykit.targets.ecs.stand import Stand, look, needs_record, pause
from tests.unit.makers import ARN, rollout, service

OLD, NEW, OTHER = f"{ARN}web:1", f"{ARN}web:2", f"{ARN}web:9"
OURS = "ecs-svc/2"


def ours(**more: Any) -> Rollout:
    values: dict[str, Any] = {"task_definition": NEW, "state": "IN_PROGRESS", "running": 1, **more}
    return rollout(OURS, **values)


CASES: dict[str, tuple[list[Rollout], str | None, Stand]] = {
    "under way": ([ours(), rollout(status="ACTIVE")], None, Stand.WAITING),
    "completed": ([ours(state="COMPLETED", running=2)], None, Stand.STEADY),
    "given up by ECS and left": ([ours(state="FAILED", reason="tasks failed to start")], None, Stand.FAILED),
    "given up by ECS, which puts the old one back": (
        [rollout("ecs-svc/3", task_definition=OLD, state="IN_PROGRESS"), ours(state="FAILED", status="ACTIVE")],
        None,
        Stand.ROLLED_BACK,
    ),
    "put back and gone from the list": ([rollout("ecs-svc/3")], "ROLLBACK_SUCCESSFUL", Stand.ROLLED_BACK),
    "stopped by a person": ([rollout("ecs-svc/3"), ours(status="ACTIVE")], "ROLLBACK_IN_PROGRESS", Stand.ROLLED_BACK),
    "overtaken by somebody": (
        [rollout("ecs-svc/3", task_definition=OTHER, state="IN_PROGRESS"), ours(status="ACTIVE")],
        "STOPPED",
        Stand.SUPERSEDED,
    ),
    "overtaken and gone": ([rollout("ecs-svc/3", task_definition=OTHER)], "STOPPED", Stand.SUPERSEDED),
    "gone without a record": ([rollout("ecs-svc/1")], None, Stand.VANISHED),
    "begun anew with the very same revision": (
        [rollout("ecs-svc/3", task_definition=NEW, state="IN_PROGRESS")],
        "STOPPED",
        Stand.WAITING,
    ),
    "without a state, every task there": ([ours(state=None, running=2)], None, Stand.STEADY),
    "without a state, the old one draining": (
        [ours(state=None, running=2), rollout(status="ACTIVE")],
        None,
        Stand.WAITING,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rollout_is(name: str) -> None:
    rollouts, record, stand = CASES[name]
    state = service(rollouts=rollouts, task_definition=rollouts[0].task_definition)
    assert look(state, OURS, NEW, record).stand is stand


def test_after_a_stop_the_revision_is_followed_under_whatever_id() -> None:
    back = [rollout("ecs-svc/7", task_definition=OLD, state="IN_PROGRESS", running=1)]
    assert look(service(rollouts=back), None, OLD).stand is Stand.WAITING
    assert look(service(rollouts=[rollout("ecs-svc/7")]), None, OLD).stand is Stand.STEADY
    assert look(service(rollouts=[ours()]), None, OLD).stand is Stand.WAITING


def test_the_record_is_only_asked_for_where_the_list_cannot_tell() -> None:
    assert not needs_record(service(rollouts=[ours()]), OURS)
    assert not needs_record(service(rollouts=[rollout(), ours(status="ACTIVE", state="FAILED")]), OURS)
    assert needs_record(service(rollouts=[rollout()]), OURS)


def test_polls_are_close_where_the_end_is_near_and_few_over_three_minutes() -> None:
    assert pause(True, since_begin=100, since_change=90) <= 2
    assert pause(True, since_begin=5, since_change=0) <= 2
    now, polls = 0.0, 0
    while now < 180:
        now += pause(True, now, now)
        polls += 1
    slow, now = 0, 0.0
    while now < 180:
        now += pause(False, now, now)
        slow += 1
    assert polls <= 110
    assert slow < polls
