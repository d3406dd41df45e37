"""Every end of a rollout is recognised as what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deploykit.model.observed import Rollout
from deploykit.targets.ecs.state import RolloutState, look, needs_record, pause, together
from tests.unit.makers import ARN, rollout, service

OLD, NEW, OTHER = f"{ARN}web:1", f"{ARN}web:2", f"{ARN}web:9"
OURS = "ecs-svc/2"


def ours(**more: Any) -> Rollout:
    values: dict[str, Any] = {"task_definition": NEW, "state": "IN_PROGRESS", "running": 1, **more}
    return rollout(OURS, **values)


CASES: dict[str, tuple[list[Rollout], str | None, RolloutState]] = {
    "under way": ([ours(), rollout(status="ACTIVE")], None, RolloutState.WAITING),
    "completed": ([ours(state="COMPLETED", running=2)], None, RolloutState.STEADY),
    "given up by ECS and left": ([ours(state="FAILED", reason="tasks failed to start")], None, RolloutState.FAILED),
    "given up by ECS, which puts the old one back": (
        [rollout("ecs-svc/3", task_definition=OLD, state="IN_PROGRESS"), ours(state="FAILED", status="ACTIVE")],
        None,
        RolloutState.ROLLED_BACK,
    ),
    "put back and gone from the list": ([rollout("ecs-svc/3")], "ROLLBACK_SUCCESSFUL", RolloutState.ROLLED_BACK),
    "stopped by a person": (
        [rollout("ecs-svc/3"), ours(status="ACTIVE")],
        "ROLLBACK_IN_PROGRESS",
        RolloutState.ROLLED_BACK,
    ),
    "overtaken by somebody": (
        [rollout("ecs-svc/3", task_definition=OTHER, state="IN_PROGRESS"), ours(status="ACTIVE")],
        "STOPPED",
        RolloutState.SUPERSEDED,
    ),
    "overtaken and gone": ([rollout("ecs-svc/3", task_definition=OTHER)], "STOPPED", RolloutState.SUPERSEDED),
    "gone without a record": ([rollout("ecs-svc/1")], None, RolloutState.VANISHED),
    "begun anew with the very same revision": (
        [rollout("ecs-svc/3", task_definition=NEW, state="IN_PROGRESS")],
        "STOPPED",
        RolloutState.WAITING,
    ),
    "without a state, every task there": ([ours(state=None, running=2)], None, RolloutState.STEADY),
    "without a state, the old one draining": (
        [ours(state=None, running=2), rollout(status="ACTIVE")],
        None,
        RolloutState.WAITING,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rollout_is(name: str) -> None:
    rollouts, record, expected = CASES[name]
    state = service(rollouts=rollouts, task_definition=rollouts[0].task_definition)
    assert look(state, OURS, NEW, record).state is expected


def test_after_a_stop_the_revision_is_followed_under_whatever_id() -> None:
    back = [rollout("ecs-svc/7", task_definition=OLD, state="IN_PROGRESS", running=1)]
    assert look(service(rollouts=back), None, OLD).state is RolloutState.WAITING
    assert look(service(rollouts=[rollout("ecs-svc/7")]), None, OLD).state is RolloutState.STEADY
    assert look(service(rollouts=[ours()]), None, OLD).state is RolloutState.WAITING


def test_the_record_is_only_asked_for_where_the_list_cannot_tell() -> None:
    assert not needs_record(service(rollouts=[ours()]), OURS, NEW)
    assert not needs_record(service(rollouts=[rollout(), ours(status="ACTIVE", state="FAILED")]), OURS, NEW)
    assert needs_record(service(rollouts=[rollout()]), OURS, NEW)
    assert not needs_record(service(rollouts=[rollout()]), OURS, NEW, {"ecs-svc/1"})  # perhaps from before
    again = [rollout("ecs-svc/3", task_definition=NEW, state="IN_PROGRESS"), ours(status="ACTIVE")]
    assert not needs_record(service(rollouts=again), OURS, NEW)


def test_an_answer_from_before_the_rollout_is_waited_out_and_a_rollout_of_others_is_not() -> None:
    before = service(rollouts=[rollout("ecs-svc/1")])
    assert look(before, OURS, NEW, older={"ecs-svc/1"}).state is RolloutState.WAITING
    assert look(before, OURS, NEW).state is RolloutState.VANISHED
    assert look(before, OURS, NEW, "ROLLBACK_IN_PROGRESS", {"ecs-svc/1"}).state is RolloutState.ROLLED_BACK
    others = service(rollouts=[rollout("ecs-svc/3", task_definition=OTHER), rollout("ecs-svc/1", status="ACTIVE")])
    assert look(others, OURS, NEW, older={"ecs-svc/1"}).state is RolloutState.VANISHED
    assert look(others, OURS, NEW, "STOPPED", {"ecs-svc/1"}).state is RolloutState.SUPERSEDED


def polled(pauses: Callable[[float], float], seconds: float = 180.0) -> int:
    """How many polls fit into ``seconds``."""
    now, polls = 0.0, 0
    while now < seconds:
        now += pauses(now)
        polls += 1
    return polls


def test_polls_are_close_where_the_end_is_near_and_few_over_three_minutes() -> None:
    assert pause(True, True, since_begin=100, since_change=5) <= 1.5
    assert pause(True, True, since_begin=5, since_change=0) == 1
    for full, alone in ((True, True), (True, False), (False, False), (False, True)):
        assert polled(lambda now, full=full, alone=alone: pause(full, alone, now, now)) <= 90  # type: ignore[misc]


def test_many_rollouts_that_move_in_turn_are_not_all_watched_as_closely_as_the_last() -> None:
    assert together([1.5, 5.0, 5.0]) == 1.5
    assert together([1.5] + [5.0] * 9) == 2.5
    assert polled(lambda now: together([1.0] * 10)) <= 80
    assert together([5.0] * 10) == 5.0
