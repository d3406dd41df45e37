"""A clock that only moves when a test moves it; the simulator's events hang on it."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 11, 21, 6, 0, 0, tzinfo=UTC)
"""What the virtual clock shows at second 0."""


class VirtualClock:
    """Virtual time. ``now`` is seconds (float) since the start, ``stamp`` the same as a POSIX time.

    Nothing here looks at the machine's clock. ``advance`` runs every event that falls due on the way, in order,
    with ``now`` set to that event's own time.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.lock = threading.RLock()
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], object]]] = []

    @property
    def stamp(self) -> float:
        """POSIX seconds, as AWS's JSON protocols send times."""
        return EPOCH.timestamp() + self.now

    @property
    def moment(self) -> datetime:
        """The virtual wall clock, aware, in UTC."""
        return EPOCH + timedelta(seconds=self.now)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Run ``action`` once the clock has moved ``seconds`` on from now."""
        heapq.heappush(self._events, (self.now + max(0.0, seconds), next(self._order), action))

    def advance(self, seconds: float) -> float:
        """Move on by ``seconds``, running what falls due; returns the new ``now``."""
        if seconds < 0:
            raise ValueError(f"the clock does not go back: {seconds}")
        with self.lock:
            end = self.now + seconds
            while self._events and self._events[0][0] <= end:
                when, _, action = heapq.heappop(self._events)
                self.now = max(self.now, when)
                action()
            self.now = end
            return self.now

    def wall(self) -> WallClock:
        """This clock with the three methods that programs usually take: now(), monotonic(), sleep()."""
        return WallClock(self)


class WallClock:
    """The virtual clock for the program under test: its sleep moves the simulator on, and returns at once."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.slept = 0.0

    def now(self) -> datetime:
        return self._clock.moment

    def monotonic(self) -> float:
        return self._clock.now

    def sleep(self, seconds: float) -> None:
        self.slept += max(0.0, seconds)
        self._clock.advance(max(0.0, seconds))
