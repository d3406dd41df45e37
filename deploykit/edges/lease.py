"""The lease as an object in the state store, and what a run holds while it is its own: heartbeats, guard, clock.

It is taken with a conditional write and renewed by heartbeats; how old the last one is, the store itself tells.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from deploykit.edges.clock import Clock
from deploykit.edges.identity import is_gone
from deploykit.edges.objects import Conflict, NotFound, Objects
from deploykit.errors import FailedBefore, LeaseLost, OutOfReach
from deploykit.model.lock import BEAT, TO_LIVE, Hold, Lease, SeenLease
from deploykit.model.progress import Progress

LEASE = "lease.json"
SCHEMA = 1
_AGAIN = 3.0  # seconds after a heartbeat that did not get through
UNKNOWN = "somebody"  # who wrote a record that cannot be read
_Record = TypeVar("_Record", Lease, Hold)


def read_lease(objects: Objects) -> SeenLease | None:
    """The lease, alive or not; None where nobody has it. Raises: what ``Objects`` raises."""
    try:
        found = objects.read_aged(LEASE)
    except NotFound:
        return None
    blank = Lease("", UNKNOWN, "", "deploy", None, "an unknown time", "")
    lease = decode(blank, found.body)
    return SeenLease(lease, found.version, found.written, found.age, is_gone(lease.process))


def encode(record: Lease | Hold, **more: Any) -> bytes:
    """The record as JSON in UTF-8, readable with ``aws s3 cp … -``; ``more``: fields that make each write its own."""
    fields = dataclasses.asdict(record)
    extra = fields.pop("extra")
    return (json.dumps({"schema": SCHEMA, **extra, **fields, **more}, indent=1, ensure_ascii=False) + "\n").encode()


def decode(blank: _Record, body: bytes) -> _Record:
    """``blank`` with what the record says; one that cannot be read keeps others out all the same."""
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        return blank
    if not isinstance(document, Mapping):
        return blank
    names = {field.name for field in dataclasses.fields(blank)} - {"extra"}
    known = {name: value for name, value in document.items() if name in names and isinstance(value, str)}
    others = {name: value for name, value in document.items() if name not in names and name != "schema"}
    return dataclasses.replace(blank, **known, extra=others)


class HeldLease:
    """A lease that this run took. ``before``: the one that it replaced, of a run that was gone or was taken over."""

    def __init__(
        self, objects: Objects, lease: Lease, version: str, clock: Clock, confirmed: float, before: SeenLease | None
    ) -> None:
        self.lease = lease
        self.before = before
        self._objects = objects
        self._version = version
        self._clock = clock
        self._confirmed = confirmed  # when the last write that the store has for certain was sent, on our clock
        self._tried = confirmed
        self._beats = 0
        self._lost = ""
        self._taken = True
        self._writing = threading.RLock()  # the heartbeat's thread and the run's own

    @property
    def until_beat(self) -> float:
        """Seconds until the next heartbeat is due."""
        due = max(self._confirmed + BEAT, self._tried + _AGAIN)
        return max(0.0, due - self._clock.monotonic())

    def names(self, release: str) -> None:
        """From the next heartbeat on it says which release it is for: the next run knows then what was left."""
        self.lease = replace(self.lease, release=release)

    def require(self) -> None:
        """Raises: LeaseLost where it is known that another run has it, or may have it by now."""
        silent = self._clock.monotonic() - self._confirmed
        if not self._lost and silent > TO_LIVE:
            self._lost = f"the state store {self._objects.place} was out of reach for {silent:.0f} s"
            self._taken = False
        if self._lost:
            raise LeaseLost(self._lost, taken=self._taken)

    def confirm(self) -> None:
        """Renew it now: before every call that changes something. Raises: LeaseLost."""
        self._renew()
        self.require()

    def beat(self) -> None:
        """Renew it where that is due. Never raises: ``require`` tells what came of it."""
        if self.until_beat <= 0:
            self._renew()

    def give_back(self, progress: Progress) -> None:
        """Let the next run have it at once; where that cannot be written, it ends by itself."""
        if not self._writing.acquire(timeout=_AGAIN):  # a heartbeat waits for an answer that does not come
            progress.warn(f"the deploy lock ends by itself in {TO_LIVE:.0f} s: the state store does not answer")
            return
        try:
            if not self._lost:
                self._delete()
        except (OutOfReach, FailedBefore) as trouble:
            progress.warn(f"the deploy lock ends by itself in {TO_LIVE:.0f} s: {trouble.message}")
        finally:
            self._writing.release()

    def _renew(self) -> None:
        with self._writing:
            if self._lost:
                return
            sent = self._tried = self._clock.monotonic()
            self._beats += 1
            body = encode(self.lease, beat=self._beats)
            try:
                self._version = self._objects.replace(LEASE, body, self._version)
            except (Conflict, NotFound):
                self._find_out(body, sent)
            except (OutOfReach, FailedBefore):  # for as long as it is ours, the next one may get through
                pass
            else:
                self._confirmed = sent

    def _find_out(self, body: bytes, sent: float) -> None:
        """Another wrote the lease; or an earlier write of ours, whose answer was lost, did."""
        try:
            seen = read_lease(self._objects)
            if seen is not None and seen.lease.id == self.lease.id:
                self._version = self._objects.replace(LEASE, body, seen.version)
                self._confirmed = sent
                return
        except (OutOfReach, FailedBefore):
            return
        silent = sent - self._confirmed
        if seen is None and silent > TO_LIVE:
            self._lost = f"the deploy lock ran out, since it was not renewed for {silent:.0f} s"
        elif seen is None:
            self._lost = "the deploy lock was released by somebody else"
        else:
            self._lost = f"{seen.lease.described} took over the deploy lock"

    def _delete(self) -> None:
        try:
            self._objects.delete(LEASE, self._version)
        except Conflict:
            seen = read_lease(self._objects)
            if seen is not None and seen.lease.id == self.lease.id:
                self._objects.delete(LEASE, seen.version)


class LeasedClock:
    """A run's clock while it holds ``lease``: the heartbeats come between its sleeps, and a lost lease ends them."""

    def __init__(self, clock: Clock, lease: HeldLease) -> None:
        self._clock = clock
        self._lease = lease

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Raises: LeaseLost."""
        end = self._clock.monotonic() + seconds
        while True:
            self._lease.beat()
            self._lease.require()
            left = end - self._clock.monotonic()
            if left <= 0:
                return
            self._clock.sleep(min(left, max(0.1, self._lease.until_beat)))
