"""Waiting for something of AWS's, in a time that only the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from deploykit.edges.aws.session import AwsUnreachable, NotAllowed, Throttled
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import DeploykitError
from tests.unit.probe_kit import FakeClock, Listener

NOT_YET = Waiting("2 of 3 tasks")


def poll(clock: FakeClock, seconds: float = 300.0, listener: Listener | None = None) -> Poll:
    return Poll("the tasks", Deadline(clock, seconds), lambda waited: 1.0 + waited, listener or Listener(), "api")


class Looks:
    """Answers or raises each thing in its turn, the last one from then on."""

    def __init__(self, clock: FakeClock, *seen: str | Waiting | DeploykitError) -> None:
        self.clock, self.at = clock, list[float]()
        self._seen = self._forever(*seen)

    def _forever(self, *seen: str | Waiting | DeploykitError) -> Iterator[str | Waiting | DeploykitError]:
        yield from seen
        while True:
            yield seen[-1]

    def __call__(self) -> str | Waiting:
        self.at.append(self.clock.time - 1000.0)
        seen = next(self._seen)
        if isinstance(seen, DeploykitError):
            raise seen
        return seen


def test_what_comes_is_returned_and_pauses_depend_on_the_time_waited() -> None:
    clock = FakeClock()
    looks = Looks(clock, NOT_YET, NOT_YET, "there")
    assert poll(clock).until(looks) == "there"
    assert looks.at == [1.0, 3.0, 7.0]


def test_the_first_look_may_come_at_once() -> None:
    clock = FakeClock()
    looks = Looks(clock, NOT_YET, "there")
    assert replace(poll(clock), at_once=True).until(looks) == "there"
    assert looks.at == [0.0, 1.0]


def test_the_last_look_is_at_the_deadline_and_what_it_saw_is_told() -> None:
    clock = FakeClock()
    looks = Looks(clock, NOT_YET)
    overdue = poll(clock, 5.0).until(looks)
    assert overdue == Overdue("the tasks", 5.0, "2 of 3 tasks")
    assert str(overdue) == "waited for the tasks; it did not come within 5 s: 2 of 3 tasks"
    assert looks.at == [1.0, 3.0, 5.0]


@pytest.mark.parametrize("trouble", [Throttled("Rate exceeded"), AwsUnreachable("no answer")])
def test_while_aws_gives_no_answer_it_is_asked_ever_less_often_and_people_read_so(trouble: DeploykitError) -> None:
    clock, listener = FakeClock(), Listener()
    looks = Looks(clock, *[trouble] * 6, NOT_YET, trouble, "there")
    assert replace(poll(clock, listener=listener), pause=lambda _: 1.0).until(looks) == "there"
    pauses = [after - before for before, after in zip(looks.at, looks.at[1:], strict=False)]
    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 1.0, 2.0]
    assert listener.lines[2] == ("api", f"waiting for the tasks: {trouble.message}; asking again in 8 s")


def test_a_deadline_without_an_answer_says_why_there_was_none() -> None:
    clock = FakeClock()
    assert str(poll(clock, 5.0).until(Looks(clock, Throttled("Rate exceeded")))).endswith(": Rate exceeded")


def test_what_does_not_pass_by_itself_is_raised() -> None:
    clock = FakeClock()
    with pytest.raises(NotAllowed):
        poll(clock).until(Looks(clock, NotAllowed("ecs:DescribeTasks", "no")))
    with pytest.raises(Throttled):
        replace(poll(clock), passing=()).until(Looks(clock, Throttled("Rate exceeded")))


def test_what_people_are_to_read_is_told_with_the_time_of_the_next_look() -> None:
    clock, listener = FakeClock(), Listener()
    poll(clock, 4.0, listener).until(Looks(clock, Waiting("no room", tell=True), NOT_YET))
    assert listener.lines == [("api", "waiting for the tasks: no room; asking again in 2 s")]
