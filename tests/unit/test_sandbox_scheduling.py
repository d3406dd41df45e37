"""A rolling deployment starts and stops as many tasks as ECS would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.sandbox.server.ecs.rollout import Counts, Step, breaker_threshold, failure_pause, next_step


@pytest.mark.parametrize(
    ("counts", "most", "least", "step"),
    [
        (Counts(2, 0, 0, 2, 2, 0), 200, 100, Step(start=2)),
        (Counts(2, 2, 0, 2, 2, 0), 200, 100, Step()),
        (Counts(2, 2, 1, 2, 2, 0), 200, 100, Step(stop_old=1)),
        (Counts(2, 2, 2, 2, 2, 0), 200, 100, Step(stop_old=2)),
        (Counts(2, 2, 2, 0, 0, 2), 200, 100, Step(complete=True)),
        (Counts(1, 0, 0, 1, 1, 0), 100, 0, Step(stop_old=1)),
        (Counts(1, 0, 0, 0, 0, 1), 100, 0, Step()),
        (Counts(1, 0, 0, 0, 0, 0), 100, 0, Step(start=1)),
        (Counts(3, 0, 0, 3, 3, 0), 150, 100, Step(start=1)),
        (Counts(1, 0, 0, 2, 1, 0), 200, 100, Step(stop_old=1)),  # a rollout superseded before it was healthy
        (Counts(1, 0, 0, 2, 2, 0), 200, 100, Step(stop_old=1)),
        (Counts(2, 0, 0, 3, 2, 0), 200, 100, Step(start=1, stop_old=1)),
        (Counts(1, 0, 0, 1, 0, 0), 100, 100, Step(stop_old=1)),
        (Counts(2, 3, 3, 0, 0, 0), 200, 100, Step(stop_new=1)),
        (Counts(0, 0, 0, 2, 2, 0), 200, 100, Step(stop_old=2)),
        (Counts(0, 0, 0, 0, 0, 0), 200, 100, Step(complete=True)),
    ],
)
def test_the_next_step_of_a_rollout(counts: Counts, most: int, least: int, step: Step) -> None:
    assert next_step(counts, most, least) == step


@given(
    desired=st.integers(0, 6), new=st.integers(0, 6), new_well=st.integers(0, 6), old=st.integers(0, 6),
    old_well=st.integers(0, 6), most=st.sampled_from([100, 150, 200]), least=st.sampled_from([0, 50, 100]),
)  # fmt: skip
def test_healthy_tasks_never_fall_below_what_was_promised(
    desired: int, new: int, new_well: int, old: int, old_well: int, most: int, least: int
) -> None:
    new_well, old_well = min(new, new_well), min(old, old_well)
    step = next_step(Counts(desired, new, new_well, old, old_well, 0), most, least)
    unwell_old = old - old_well
    healthy_stopped = max(0, step.stop_old - unwell_old)
    promised = -(-desired * least // 100)
    assert new_well + old_well - healthy_stopped >= min(promised, new_well + old_well)
    assert new + old + step.start <= max(new + old, desired * most // 100, 1)


def test_the_breaker_trips_at_half_of_desired_between_three_and_two_hundred() -> None:
    assert [breaker_threshold({"desiredCount": n}) for n in (1, 2, 6, 25, 400, 800)] == [3, 3, 3, 13, 200, 200]


def test_failures_in_a_row_are_replaced_ever_more_slowly() -> None:
    pauses = [failure_pause(n) for n in range(1, 12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, 4.0)
