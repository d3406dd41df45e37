"""The lease in a bucket and in a folder: one holder at a time, by the clock of the store, with heartbeats."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploykit.edges.clock import SystemClock
from deploykit.edges.lease import LEASE, LeasedClock, read_lease
from deploykit.errors import LeaseLost, Refused
from deploykit.ledger.lease import Taking, holding
from deploykit.ledger.lock import take_away
from deploykit.model.lock import BEAT, TO_LIVE
from tests.wire.lease_kit import Hold, Place, folder, hold, lease, lost, place, simulated

__all__ = ["folder", "hold", "place", "simulated"]


def test_one_has_it_until_it_is_given_back(place: Place) -> None:
    with holding(lease("ada"), place.taking()) as held:
        with pytest.raises(Refused, match="held by ada"), holding(lease("eve"), place.taking()):
            pass
        assert place.seen().lease == lease("ada")
        assert held.before is None
    assert read_lease(place.objects) is None
    with holding(lease("eve"), place.taking()):
        assert place.seen().lease.holder == "eve"


@pytest.mark.parametrize("dead", [True, False])
def test_of_many_that_come_at_once_one_gets_it(place: Place, hold: Hold, dead: bool) -> None:
    if dead:
        hold("ada")
        place.passes(TO_LIVE + 2)
    together = threading.Barrier(8)

    def take(number: int) -> str:
        together.wait()
        try:
            return hold(f"run {number}").lease.holder
        except Refused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(together.parties) as threads:
        words = list(threads.map(take, range(together.parties)))
    (holder,) = (word for word in words if not word.startswith("held by"))
    assert place.seen().lease.holder == holder
    assert set(words) == {holder, f"held by {holder}"}


def test_its_age_is_by_the_stores_clock(place: Place, hold: Hold) -> None:
    hold("ada")
    for seconds, alive, expired in ((29.0, True, False), (3.0, False, False), (27.0, False, False), (3.0, False, True)):
        place.passes(seconds)
        seen = place.seen()
        assert (seen.alive, seen.expired) == (alive, expired), seen.age
    assert 61.0 < place.seen().age < 63.0
    if place.folder is None:
        assert (place.there.sim.clock.moment - place.seen().written).total_seconds() == 62.0


def test_a_machines_wrong_clock_does_not_make_a_lease_old(
    place: Place, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold("ada")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert 0.0 <= place.seen().age < 2.0


def test_a_renewed_lease_is_young_again_and_names_the_release(place: Place, hold: Hold) -> None:
    held = hold("ada")
    held.names("20261121T060000Z-1a2b3c4")
    held.beat()  # not due
    assert place.seen().lease.release == ""
    place.passes(BEAT)
    held.beat()
    assert place.seen().lease.release == "20261121T060000Z-1a2b3c4"
    for _ in range(6):
        place.passes(TO_LIVE - 2)
        held.confirm()
    assert place.seen().age < 2.0
    assert json.loads(place.objects.read(LEASE).body)["beat"] == 7


def test_whoever_was_taken_over_learns_by_whom_and_leaves_the_lease_alone(place: Place, hold: Hold) -> None:
    first = hold("ada")
    second = hold("eve", take_over=True)
    assert second.before is not None
    assert (second.before.lease.holder, second.before.expired) == ("ada", False)
    first.require()  # it cannot know yet
    place.passes(BEAT)
    first.beat()
    assert lost(first).startswith("eve on desk (deploy 1a2b3c4) since 2026-11-21T06:00:00Z took over")
    first.give_back(place.there.world.progress)
    second.confirm()
    assert place.seen().lease.holder == "eve"


def test_only_the_own_lease_is_given_back(place: Place, hold: Hold) -> None:
    first, second = hold("ada"), hold("eve", take_over=True)
    first.give_back(place.there.world.progress)  # it has not heard of the other yet
    second.confirm()
    assert place.seen().lease.holder == "eve"


def test_a_run_that_slept_too_long_finds_another_in_its_place(place: Place, hold: Hold) -> None:
    first = hold("ada")
    place.passes(TO_LIVE + 2)
    second = hold("eve")
    assert second.before is not None
    assert second.before.expired
    assert "eve" in lost(first)
    second.confirm()


def test_a_lease_can_be_taken_away_while_it_beats(place: Place, hold: Hold) -> None:
    held, seen = hold("ada"), place.seen()

    def beat() -> None:
        place.there.sim.clock.advance(BEAT)
        held.beat()

    end = SystemClock().every(0.01, beat)
    time.sleep(0.05)
    assert place.seen().version != seen.version
    assert take_away(place.objects, seen)
    end()
    assert "released by somebody else" in lost(held)
    hold("eve")
    assert not take_away(place.objects, seen)
    assert place.seen().lease.holder == "eve"


def test_a_store_out_of_reach_is_borne_for_as_long_as_nobody_may_take_it(place: Place, hold: Hold) -> None:
    held = hold("ada")
    with place.out_of_reach():
        place.passes(TO_LIVE - 1)
        held.confirm()
    held.confirm()
    with place.out_of_reach():
        place.passes(TO_LIVE + 1)
        assert lost(held) == f"the state store {place.objects.place} was out of reach for 61 s"
    assert "61 s" in lost(held)  # for good: another may have had it meanwhile


def test_beats_come_during_a_long_sleep_and_a_lost_lease_ends_it(place: Place, hold: Hold) -> None:
    held, sim = hold("ada"), place.there.sim
    clock = LeasedClock(place.there.world.clock, held)
    began = clock.monotonic()
    with sim.recording() as calls:
        clock.sleep(200.0)
    assert clock.monotonic() - began == 200.0
    if place.folder is None:
        beats = [call.at - began for call in calls if call.operation == "PutObject"]
        assert beats == [BEAT * number for number in range(1, 14)]
    assert json.loads(place.objects.read(LEASE).body)["beat"] == 13
    hold("eve", take_over=True)
    with pytest.raises(LeaseLost, match="eve"):
        clock.sleep(200.0)
    assert clock.monotonic() - began == 210.0  # the fourteenth was due


class Fast(SystemClock):
    """The machine's clock, fifty times as fast."""

    def monotonic(self) -> float:
        return time.monotonic() * 50

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        return super().every(seconds / 50, action)


def test_a_thread_beats_while_the_run_works(folder: Place) -> None:
    asked = folder.taking()
    with holding(lease("ada"), Taking(asked.objects, Fast(), asked.progress, asked.refusal)) as held:
        time.sleep(1.05 * TO_LIVE / 50)
        held.require()
        assert json.loads(folder.objects.read(LEASE).body)["beat"] >= 3
        for _ in range(100):  # while the thread may be writing, too
            held.confirm()
        with holding(lease("eve"), folder.taking(take_over=True)):
            time.sleep(3 * BEAT / 50)
            with pytest.raises(LeaseLost, match="eve"):
                held.require()
            assert folder.seen().lease.holder == "eve"
    assert "heartbeat" not in {thread.name for thread in threading.enumerate()}
