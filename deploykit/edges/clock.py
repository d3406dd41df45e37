"""Time: every wait takes a Clock, so that a simulator can own it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

_ENDING = 1.0  # seconds


class Clock(Protocol):
    """What deploykit knows of time."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; they never decrease."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def every(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Call ``action`` every ``seconds`` from a thread of its own; the function returned ends that."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(seconds):
                action()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()

        def end() -> None:
            ended.set()
            thread.join(_ENDING)  # one that waits for an answer is not waited for

        return end


class Deadline:
    """The moment by which a wait must end: ``seconds`` from now on ``clock``."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._end = clock.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._end - self.clock.monotonic())

    @property
    def passed(self) -> bool:
        return self.left <= 0

    def sleep(self, seconds: float) -> None:
        """Sleep, but not past the deadline."""
        self.clock.sleep(min(seconds, self.left))
