"""Take the lease, so that one run at a time changes an environment: wait for it, take it over, give it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from deploykit.edges.aws.session import AwsUnreachable, Throttled
from deploykit.edges.clock import Clock, Deadline, SystemClock
from deploykit.edges.lease import LEASE, HeldLease, encode, read_lease
from deploykit.edges.objects import AlreadyExists, Conflict, NotFound, Objects
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import DeploykitError, FailedBefore, Refused
from deploykit.model.lock import BEAT, TO_LIVE, Lease, SeenLease
from deploykit.model.progress import Progress

_TOLD = 60.0  # seconds after which a wait for the same holder is told again


@dataclass(frozen=True)
class Taking:
    """How a lease is asked for. ``wait``: seconds to queue for a living holder; ``take_over``: from a living one, too.

    ``refusal`` makes the error for a living holder that is not waited for (any longer).
    """

    objects: Objects
    clock: Clock
    progress: Progress
    refusal: Callable[[SeenLease], Refused]
    wait: float = 0.0
    take_over: bool = False


@contextmanager
def holding(mine: Lease, taking: Taking) -> Iterator[HeldLease]:
    """Take the lease, keep it alive, and give it back whatever happens.

    Raises: what ``taking.refusal`` makes, for a living holder; what ``Objects`` raises.
    """
    held = _take(mine, taking)
    # a simulated clock stands still while the run works: its beats all come with its sleeps
    end = taking.clock.every(BEAT, held.beat) if isinstance(taking.clock, SystemClock) else lambda: None
    try:
        yield held
    finally:
        end()
        held.give_back(taking.progress)


def _take(mine: Lease, taking: Taking) -> HeldLease:
    clock, wait = taking.clock, taking.wait
    deadline = Deadline(clock, max(wait, TO_LIVE + BEAT))  # a silent holder is waited out by itself
    turn = _Turn(mine, taking)
    poll = Poll("the deploy lock", deadline, turn.pause, taking.progress, at_once=True, passing=())
    try:
        found = poll.until(turn.look)
    except KeyboardInterrupt:
        turn.leave()
        raise
    if isinstance(found, Overdue):
        raise taking.refusal(turn.seen) if turn.seen else FailedBefore(str(found))
    return found


class _Turn:
    """A wait for the lease: what was seen last, and what was told of it."""

    def __init__(self, mine: Lease, taking: Taking) -> None:
        self.seen: SeenLease | None = None
        self._mine = mine
        self._taking = taking
        self._began = taking.clock.monotonic()
        self._told = ("", 0.0)

    def look(self) -> HeldLease | Waiting:
        """Raises: OutOfReach only at the first look: what has answered before will again."""
        try:
            return self._look()
        except (Throttled, AwsUnreachable) as trouble:
            if self.seen is None:
                raise
            return Waiting(trouble.message, tell=True)

    def _look(self) -> HeldLease | Waiting:
        sent = self._taking.clock.monotonic()
        objects = self._taking.objects
        seen = read_lease(objects) if self.seen else None  # most often it is free, so the first look takes it
        if seen is None:
            try:
                return self._held(objects.create(LEASE, encode(self._mine)), sent)
            except AlreadyExists:
                self.seen = seen = read_lease(objects)
        if seen is None:
            return Waiting("it was given back just now")
        self.seen = seen
        if seen.expired or self._taking.take_over:
            try:
                version = objects.replace(LEASE, encode(self._mine), seen.version)
                return self._held(version, sent, seen)
            except (Conflict, NotFound):
                return Waiting("another run was faster")
        if seen.alive and sent - self._began >= self._taking.wait:
            raise self._taking.refusal(seen)
        silent = "" if seen.alive else f", silent for {seen.age:.0f} s"
        return Waiting(f"held by {seen.lease.described}{silent}", tell=self._news(seen.lease.id + silent[:8]))

    def pause(self, waited: float) -> float:
        if self.seen is None or (self._taking.take_over and waited < BEAT):
            return 0.2
        if not self.seen.alive:
            return max(1.0, min(5.0, TO_LIVE + 1 - self.seen.age))
        return 2.0 if waited < BEAT else 5.0

    def leave(self) -> None:
        """Ctrl-C while it was being taken: it may have been written, and must not keep others out."""
        try:
            seen = read_lease(self._taking.objects)
            if seen is not None and seen.lease.id == self._mine.id:
                self._taking.objects.delete(LEASE, seen.version)
        except DeploykitError as trouble:
            self._taking.progress.warn(f"the deploy lock may be left behind: {trouble.message}")

    def _held(self, version: str, sent: float, before: SeenLease | None = None) -> HeldLease:
        return HeldLease(self._taking.objects, self._mine, version, self._taking.clock, sent, before)

    def _news(self, holder: str) -> bool:
        now = self._taking.clock.monotonic()
        if holder == self._told[0] and now - self._told[1] < _TOLD:
            return False
        self._told = (holder, now)
        return True
