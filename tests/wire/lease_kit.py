"""A state store, in a bucket and in a folder, in which runs take a lease; a test owns the time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploykit.edges.lease import LEASE, HeldLease, read_lease
from deploykit.edges.objects import Objects
from deploykit.errors import LeaseLost, Refused
from deploykit.ledger.lease import Taking, holding
from deploykit.ledger.store import open_store
from deploykit.model.lock import Lease, SeenLease
from tests.unit.ledger_kit import Simulated, world

BUCKET, FOLDER = "s3://state/shop/dev", "state"
Hold = Callable[..., HeldLease]


def lease(holder: str) -> Lease:
    return Lease(f"id of {holder}", holder, "desk", "deploy", "1a2b3c4d" * 5, "2026-11-21T06:00:00Z", "dev")


@dataclass
class Place:
    """A state store, and a clock of the runs that only the test moves."""

    objects: Objects
    there: Simulated
    folder: Path | None

    def seen(self) -> SeenLease:
        found = read_lease(self.objects)
        assert found is not None
        return found

    def passes(self, seconds: float) -> None:
        """Time passes for all runs and for the store."""
        self.there.sim.clock.advance(seconds)
        if self.folder is not None and (self.folder / LEASE).exists():
            written = (self.folder / LEASE).stat().st_mtime - seconds
            os.utime(self.folder / LEASE, (written, written))

    def taking(self, *, wait: float = 0.0, take_over: bool = False) -> Taking:
        def refusal(seen: SeenLease) -> Refused:
            return Refused(f"held by {seen.lease.holder}")

        return Taking(self.objects, self.there.world.clock, self.there.world.progress, refusal, wait, take_over)

    @contextmanager
    def out_of_reach(self) -> Iterator[None]:
        """Nobody can write there, nor read in a folder."""
        if self.folder is None:
            self.there.sim.faults.deny("PutObject", service="s3")
            yield
            self.there.sim.faults.clear()
        else:
            self.folder.rename(self.folder.with_name("away"))
            self.folder.write_text("no folder")
            yield
            self.folder.unlink()
            self.folder.with_name("away").rename(self.folder)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    with pytest.MonkeyPatch.context() as patched, world(patched, tmp_path_factory.mktemp("lease")) as made:
        yield made


def opened(there: Simulated, name: str, root: Path) -> Place:
    there.bucket().clear()
    there.sim.faults.clear()
    store = open_store(name, there.aws, root)
    assert store is not None
    return Place(store.objects, there, None if name.startswith("s3:") else root / name)


@pytest.fixture(params=[BUCKET, FOLDER])
def place(request: pytest.FixtureRequest, simulated: Simulated, tmp_path: Path) -> Place:
    return opened(simulated, request.param, tmp_path)


@pytest.fixture
def bucket(simulated: Simulated, tmp_path: Path) -> Place:
    return opened(simulated, BUCKET, tmp_path)


@pytest.fixture
def folder(simulated: Simulated, tmp_path: Path) -> Place:
    return opened(simulated, FOLDER, tmp_path)


@pytest.fixture
def hold(place: Place) -> Iterator[Hold]:
    """Take it for somebody until the test ends."""
    with ExitStack() as stack:
        yield lambda who, **more: stack.enter_context(holding(lease(who), place.taking(**more)))


def lost(held: HeldLease) -> str:
    """Why it is lost, by the guard of changing calls and by what a sleep asks."""
    words = []
    for act in (held.confirm, held.require):
        with pytest.raises(LeaseLost) as raised:
            act()
        words.append(str(raised.value))
    assert words[0] == words[1]
    return words[0]
