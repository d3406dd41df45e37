"""Invalidations that have to wait, asked for over HTTP at the simulator's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.edges.clock import Deadline
from deploykit.errors import FailedBefore
from deploykit.ledger.journal import Journal, Run, Steps, new_entry
from deploykit.model.hint import Hint, command
from deploykit.model.plan import CdnInvalidation, Plan
from deploykit.targets.cdn.release import invalidate
from tests.simulator import Simulator
from tests.unit.ledger_kit import Simulated, world
from tests.unit.probe_kit import Listener


def emptied(there: Simulated, seconds: float = 600.0) -> list[tuple[str, str]]:
    """What people read while the cache is emptied. Raises what ended it."""
    listener = Listener()
    world = replace(there.world, progress=listener)
    plan = Plan("step", "dev", "R", None, None, {}, {}, {}, ())
    journal = Journal(None, new_entry(plan, "invalidate", world), plan, world, Hint(""), resumes=False)
    steps, deadline = Steps(world.clock, listener), Deadline(world.clock, seconds)
    run = Run(plan, there.configuration(), world, journal, steps, deadline, (), command("invalidate"))
    done = invalidate(run, [CdnInvalidation("site", "E1", ("/*",))], "step")
    if done.error:
        raise done.error
    return listener.lines


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    with world(monkeypatch, tmp_path) as made:
        made.sim.cloudfront.add("E1")
        yield made


def full(sim: Simulator, times: int | None) -> None:
    sim.faults.fail("CreateInvalidation", "TooManyInvalidationsInProgress", "too many", 400, times)


def test_room_for_one_more_invalidation_is_waited_for_and_said_so(there: Simulated) -> None:
    full(there.sim, 3)
    said = "waiting for room for one more invalidation: too many invalidations in progress; asking again in 10 s"
    lines = emptied(there)
    assert lines.count(("site", said)) == 3
    assert "completed after" in lines[-1][1]
    asked = [call.at for call in there.sim.calls if call.operation == "CreateInvalidation"]
    assert asked == [0.0, 10.0, 20.0, 30.0]


def test_without_room_until_the_deadline_it_says_what_it_waited_for(there: Simulated) -> None:
    full(there.sim, None)
    with pytest.raises(FailedBefore, match=r"\[cdn.site\] E1: waited for room .* within 25 s: too many") as caught:
        emptied(there, 25.0)
    assert "again once one of them has completed" in caught.value.hint
    assert there.sim.clock.now == 25.0


def test_an_invalidation_that_takes_too_long_is_named(there: Simulated) -> None:
    with pytest.raises(FailedBefore, match=r"CloudFront has not completed I\w+ on E1 after 2 s"):
        emptied(there, 2.0)
    assert there.sim.count("GetInvalidation") == 3


def test_looks_without_an_answer_are_repeated_and_said_so(there: Simulated) -> None:
    there.sim.faults.throttle("GetInvalidation", 4, service="cloudfront")  # boto3's own four tries
    lines = emptied(there)
    assert any("was throttled" in text and text.endswith("asking again in 2 s") for _, text in lines)
    assert "completed after" in lines[-1][1]
