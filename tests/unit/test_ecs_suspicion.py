"""Stopped tasks are looked at when something suggests a failure, and hardly otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from deploykit.targets.ecs.suspicion import Suspicion
from tests.unit.makers import rollout

STARTED = "has started {} tasks: (task 1) (task 2)."


class Watch:
    """A rollout of two tasks, asked about every five seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.suspicion = Suspicion(self.now)
        self.failed = 0

    def see(self, *news: str, finds: int | None = None, **counts: Any) -> bool:
        """``finds``: the failed tasks that a look tells by now; None finds one more each time, -1 is throttled."""
        self.now += 5.0
        values: dict[str, Any] = {"state": "IN_PROGRESS", "desired": 2, "running": 0, "pending": 0, **counts}
        worth = self.suspicion.worth_a_look(rollout("ecs-svc/2", **values), news, self.now)
        if worth and finds != -1:
            self.failed = self.failed + 1 if finds is None else finds
            self.suspicion.looked(self.failed, self.now)
        return worth


def test_a_rollout_that_goes_well_is_never_looked_into() -> None:
    watch = Watch()
    assert not watch.see(STARTED.format(2), pending=2)
    assert not any(watch.see(pending=2) for _ in range(12))
    assert not watch.see("registered 1 targets in (target-group arn:tg)", running=1, pending=1)
    assert not any(watch.see(running=2) for _ in range(100))
    assert not watch.see("has stopped 2 running tasks: (task 8) (task 9).", "has reached a steady state.", running=2)


def test_tasks_that_are_started_in_portions_are_no_failures() -> None:
    watch = Watch()
    assert not watch.see(STARTED.format(1), pending=1)
    assert not watch.see(STARTED.format(1), running=1, pending=1)


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        ({"running": 2}, {"running": 1, "pending": 1}, ""),  # ended, and replaced at once
        ({"pending": 2}, {"pending": 1}, ""),  # never started
        ({"pending": 2}, {"pending": 2}, STARTED.format(1)),  # never started, and replaced between two answers
        ({"pending": 2}, {"pending": 2, "failed": 1}, ""),
        (
            {"running": 2},
            {"running": 2},
            "(port 80) is unhealthy in (target-group arn:tg) due to (reason codes: [503])",
        ),
        ({"running": 2}, {"running": 2}, "(task 7) failed container health checks."),
    ],
)
def test_what_a_failure_leaves_behind_is_looked_into(before: dict[str, int], after: dict[str, int], news: str) -> None:
    watch = Watch()
    assert not watch.see(STARTED.format(2), **before)
    assert watch.see(*filter(None, [news]), **after)


def test_each_replacement_of_a_crash_loop_is_looked_into() -> None:
    watch = Watch()
    watch.see(STARTED.format(2), pending=2)
    assert [watch.see(STARTED.format(1), pending=2) for _ in range(3)] == [True, True, True]


def test_once_suspicious_it_is_looked_into_every_ten_seconds_until_whole() -> None:
    watch = Watch()
    watch.see(running=2)
    assert watch.see(running=1, pending=1)
    assert [watch.see(running=1, pending=1) for _ in range(4)] == [False, True, False, True]
    assert not any(watch.see(running=2) for _ in range(4))


def test_scaling_in_is_no_failure() -> None:
    watch = Watch()
    watch.see(running=5, desired=5)
    assert not watch.see(running=5, desired=1)
    assert not watch.see(running=1, desired=1)


def test_what_does_not_move_is_looked_into_now_and_then() -> None:
    watch = Watch()
    assert sum(watch.see(pending=2) for _ in range(60)) == 3  # in five minutes


def test_a_look_that_was_throttled_is_made_up_for() -> None:
    watch = Watch()
    watch.see(running=2)
    assert watch.see(running=1, pending=1, finds=-1)
    assert watch.see(running=2)
    assert not watch.see(running=2)


def test_a_failure_that_is_not_listed_yet_is_looked_for_once_more() -> None:
    watch = Watch()
    watch.see(running=2)
    assert watch.see(running=1, pending=1, finds=0)
    assert [watch.see(running=2, finds=0) for _ in range(6)] == [False, True, False, False, False, False]
