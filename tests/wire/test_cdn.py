"""Invalidations that have to wait, asked for over HTTP at the simulator's time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import Deadline
from deploykit.errors import FailedBefore
from deploykit.model.ledger import InvalidationRecord
from deploykit.targets.cdn import invalidate
from tests.simulator import Simulator
from tests.unit.probe_kit import Listener

RECORD = InvalidationRecord("site", "E1", "release", 1, "deploykit/R/E1/release/1", ("/*",))


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL", simulator.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        simulator.cloudfront.add("E1")
        yield simulator


def emptied(sim: Simulator, seconds: float = 600.0) -> list[tuple[str, str]]:
    """What people read while the cache is emptied."""
    listener = Listener()
    deadline = Deadline(sim.clock.wall(), seconds)
    invalidate(Aws(sim.region), [RECORD], deadline, listener, lambda record, invalidation: None)
    return listener.lines


def full(sim: Simulator, times: int | None) -> None:
    sim.faults.fail("CreateInvalidation", "TooManyInvalidationsInProgress", "too many", 400, times)


def test_room_for_one_more_invalidation_is_waited_for_and_said_so(sim: Simulator) -> None:
    full(sim, 3)
    said = "waiting for room for one more invalidation: too many invalidations in progress; asking again in 10 s"
    lines = emptied(sim)
    assert lines.count(("site", said)) == 3
    assert "completed after" in lines[-1][1]
    asked = [call.at for call in sim.calls if call.operation == "CreateInvalidation"]
    assert asked == [0.0, 10.0, 20.0, 30.0]


def test_without_room_until_the_deadline_it_says_what_it_waited_for(sim: Simulator) -> None:
    full(sim, None)
    with pytest.raises(FailedBefore, match=r"\[cdn.site\] E1: waited for room .* within 25 s: too many") as caught:
        emptied(sim, 25.0)
    assert "again once one of them has completed" in caught.value.hint
    assert sim.clock.now == 25.0


def test_an_invalidation_that_takes_too_long_is_named(sim: Simulator) -> None:
    with pytest.raises(FailedBefore, match=r"CloudFront has not completed I\w+ on E1 after 2 s"):
        emptied(sim, 2.0)
    assert sim.count("GetInvalidation") == 3


def test_looks_without_an_answer_are_repeated_and_said_so(sim: Simulator) -> None:
    sim.faults.throttle("GetInvalidation", 4, service="cloudfront")  # boto3's own four tries
    lines = emptied(sim)
    assert any("was throttled" in text and text.endswith("asking again in 2 s") for _, text in lines)
    assert "completed after" in lines[-1][1]
