"""A lease while answers are lost, writes collide and runs come in any order: it stays with one holder."""

from __future__ import annotations

import itertools
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploykit.edges.lease import LEASE, HeldLease, read_lease
from deploykit.edges.objects import AlreadyExists, Conflict
from deploykit.errors import LeaseLost, OutOfReach, Refused
from deploykit.ledger.lease import holding
from deploykit.ledger.lock import take_away
from deploykit.model.lock import BEAT, TO_LIVE
from tests.unit.ledger_kit import Simulated
from tests.wire.lease_kit import BUCKET, FOLDER, Place, bucket, lease, lost, opened, simulated

__all__ = ["bucket", "simulated"]
ATTEMPTS = 4  # at one call, by boto3

somebody_else = pytest.mark.parametrize(
    ("code", "status"), [("PreconditionFailed", 412), ("ConditionalRequestConflict", 409)]
)


@somebody_else
def test_another_write_of_the_same_object_is_told_as_such(bucket: Place, code: str, status: int) -> None:
    objects, faults = bucket.objects, bucket.there.sim.faults
    faults.fail("PutObject", code, "", status)
    with pytest.raises(AlreadyExists):
        objects.create(LEASE, b"1")
    version = objects.create(LEASE, b"1")
    for operation, act in (
        ("PutObject", lambda: objects.replace(LEASE, b"2", version)),
        ("DeleteObject", lambda: objects.delete(LEASE, version)),
    ):
        faults.fail(operation, code, "", status)
        with pytest.raises(Conflict):
            act()
    assert objects.read(LEASE).body == b"1"


@somebody_else
def test_a_collision_that_nobody_won_costs_no_run_its_lease(bucket: Place, code: str, status: int) -> None:
    faults = bucket.there.sim.faults
    faults.fail("PutObject", code, "", status)
    with holding(lease("ada"), bucket.taking()) as held:  # asked again: nobody was there
        faults.fail("PutObject", code, "", status)
        held.confirm()
        faults.fail("PutObject", code, "", status, times=2)  # the second try of a beat, too
        held.confirm()
        held.confirm()
        assert bucket.seen().age == 0
        bucket.passes(TO_LIVE - 1)
        faults.fail("PutObject", code, "", status)
        held.confirm()
        bucket.passes(TO_LIVE - 1)
        held.require()  # that one counts
        faults.fail("DeleteObject", code, "", status)
    assert read_lease(bucket.objects) is None


@somebody_else
def test_a_collision_that_another_won_is_a_refusal(bucket: Place, code: str, status: int) -> None:
    with holding(lease("ada"), bucket.taking()):
        bucket.there.sim.faults.fail("PutObject", code, "", status)
        with pytest.raises(Refused, match="held by ada"), holding(lease("eve"), bucket.taking()):
            pass


def lose(place: Place, operation: str, attempts: int) -> None:
    """The next call is carried out, and neither its answer arrives nor any of the attempts after it."""
    place.there.sim.faults.cut(operation, 1, executed=True)
    place.there.sim.faults.cut(operation, attempts - 1, executed=False)


@somebody_else
def test_a_beat_between_reading_and_taking_away_is_not_the_end_of_it(bucket: Place, code: str, status: int) -> None:
    with holding(lease("ada"), bucket.taking()) as held:
        bucket.there.sim.faults.fail("DeleteObject", code, "", status, times=3)
        assert take_away(bucket.objects, bucket.seen())
        assert "released by somebody else" in lost(held)


@pytest.mark.parametrize("attempts", [1, ATTEMPTS])
def test_an_answer_that_is_lost_loses_no_lease(bucket: Place, attempts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # boto3's pauses between its attempts
    lose(bucket, "PutObject", 1)
    with holding(lease("ada"), bucket.taking()) as held:
        for _ in range(3):
            bucket.passes(BEAT)
            lose(bucket, "PutObject", attempts)
            held.beat()
            held.require()
            assert bucket.seen().age == 0
        held.confirm()
        bucket.passes(TO_LIVE - 1)
        held.confirm()
        lose(bucket, "DeleteObject", attempts)
    assert read_lease(bucket.objects) is None


def test_one_that_was_written_without_any_answer_ends_by_itself(bucket: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    lose(bucket, "PutObject", ATTEMPTS)
    with pytest.raises(OutOfReach), holding(lease("ada"), bucket.taking()):
        pass
    assert bucket.seen().lease.holder == "ada"
    bucket.passes(TO_LIVE + 1)
    with holding(lease("eve"), bucket.taking()) as held:
        held.confirm()


def test_a_silent_holder_is_waited_out_without_being_asked_to(bucket: Place) -> None:
    with holding(lease("ada"), bucket.taking()) as first:
        bucket.passes(40)
        with holding(lease("eve"), bucket.taking()) as second:
            assert second.before is not None
            assert second.before.expired
            assert TO_LIVE < second.before.age < TO_LIVE + 6
            assert "eve" in lost(first)


def test_ctrl_c_in_a_wait_leaves_the_others_lease(bucket: Place) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with holding(lease("ada"), bucket.taking()) as held:
        bucket.there.sim.clock.after(5, interrupt)
        with pytest.raises(KeyboardInterrupt), holding(lease("eve"), bucket.taking(wait=300)):
            pass
        held.confirm()
        assert bucket.seen().lease.holder == "ada"


# -- any order -------------------------------------------------------------------------------------------------------


class Runs:
    """Several runs at one store. ``last`` is who took the lease last: nobody else may pass its guard."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.held: dict[int, tuple[AbstractContextManager[HeldLease], HeldLease]] = {}
        self.killed: list[object] = []
        self.last: int | None = None
        self._names = itertools.count()

    def do(self, word: str, run: int) -> None:
        known = self.held.get(run)
        if word in ("take", "take over"):
            if known is None:
                self._take(run, take_over=word == "take over")
        elif word == "pass":
            self.place.passes((1, 14, 15, 29, 61)[run])
        elif word == "collide":
            self.place.there.sim.faults.fail("PutObject", "ConditionalRequestConflict", "", 409)
        elif known is not None:
            self._act(word, run, *known)

    def _take(self, run: int, *, take_over: bool) -> None:
        turn = holding(lease(f"{run}, {next(self._names)}"), self.place.taking(take_over=take_over))
        with suppress(Refused):
            self.held[run] = turn, turn.__enter__()
            self.last = run

    def _act(self, word: str, run: int, turn: AbstractContextManager[HeldLease], held: HeldLease) -> None:
        if word == "confirm":
            try:
                held.confirm()
            except LeaseLost:
                assert run != self.last or self._overslept
            else:
                assert run == self.last
        elif word == "beat":
            held.beat()
        elif word == "give back":
            turn.__exit__(None, None, None)
            del self.held[run]
        else:
            self.killed.append(self.held.pop(run))  # kept: a generator that is forgotten ends, and gives back

    @property
    def _overslept(self) -> bool:
        """True where the lease of the last one is old: it is right to doubt it."""
        return self.place.seen().age > TO_LIVE


ACTS = ("take", "take over", "confirm", "confirm", "beat", "give back", "killed", "pass", "pass", "collide")


@pytest.mark.parametrize("name", [BUCKET, FOLDER])
def test_no_two_runs_pass_the_guard_in_any_order(
    name: str, simulated: Simulated, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root, numbers = tmp_path_factory.mktemp("any"), itertools.count()

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 4)), min_size=8, max_size=30))
    def hold_true(acts: list[tuple[str, int]]) -> None:
        here = Path(root, str(next(numbers)))
        here.mkdir()
        runs = Runs(opened(simulated, name, here))
        for word, run in acts:
            runs.do(word, run)

    hold_true()
