"""Who has the environment's deploy lock, and whether it is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from deploykit.model.release import short

BEAT = 15.0  # seconds between two heartbeats of a holder
TO_LIVE = 60.0  # seconds after its last heartbeat in which a lease is its holder's
SILENT = 2 * BEAT  # seconds without a heartbeat after which a holder is waited out


@dataclass(frozen=True)
class Lease:
    """The lease of the run that changes the environment now. ``extra`` keeps fields that a newer deploykit wrote."""

    id: str  # of this lease alone: two runs never write the same
    holder: str  # who runs it
    host: str
    command: str
    sha: str | None
    since: str  # RFC 3339, UTC
    environment: str
    run_url: str | None = None
    release: str = ""  # the id of the run's ledger entry, once it has one
    process: str = ""  # which one it is on its machine
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def described(self) -> str:
        """Who, where, what and since when, in one clause: for refusals and waits."""
        what = f"{self.command} {short(self.sha)}" if self.sha else self.command
        where = f" on {self.host}" if self.host and self.host != self.holder else ""
        url = f", {self.run_url}" if self.run_url else ""
        return f"{self.holder}{where} ({what}) since {self.since}{url}"


@dataclass(frozen=True)
class SeenLease:
    """A lease as the store has it. ``written``: its last heartbeat; ``age``: in seconds; both by the store's clock.

    ``gone``: its process ran on this machine, and no longer does.
    """

    lease: Lease
    version: str
    written: datetime
    age: float
    gone: bool = False

    @property
    def status(self) -> LeaseStatus:
        own, expires = self.lease, self.written + timedelta(seconds=TO_LIVE)
        return LeaseStatus(
            own.holder, own.command, own.sha, own.since, expires, own.run_url, own.host, self.alive, self.age
        )

    @property
    def expired(self) -> bool:
        return self.gone or self.age > TO_LIVE

    @property
    def alive(self) -> bool:
        """True where it was heard of within two beats."""
        return not self.gone and self.age <= SILENT


@dataclass(frozen=True)
class Hold:
    """A freeze: every deploy of the environment is refused until it is released."""

    by: str
    reason: str
    since: str  # RFC 3339, UTC
    environment: str = ""
    host: str = ""
    run_url: str | None = None
    command: str = "lock hold"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> HoldStatus:
        return HoldStatus(self.by, self.reason, self.since, self.host, self.run_url)

    @property
    def described(self) -> str:
        return f"frozen by {self.by} since {self.since}: {self.reason}"


@dataclass(frozen=True)
class LeaseStatus:
    """A lease as `status` and `lock show` tell it. ``expires``: by the store's clock; ``silent``: seconds."""

    holder: str
    command: str
    sha: str | None
    since: str
    expires: datetime
    run_url: str | None
    host: str
    alive: bool
    silent: float


@dataclass(frozen=True)
class HoldStatus:
    """A freeze as `status` and `lock show` tell it."""

    by: str
    reason: str
    since: str
    host: str
    run_url: str | None


@dataclass(frozen=True)
class Lock:
    """All that keeps a deploy out at a moment: another run's lease, and a freeze; None where there is none."""

    lease: SeenLease | None = None
    hold: Hold | None = None

    @property
    def status(self) -> LockStatus:
        """A lease that has run out is nobody's."""
        lease, hold = self.lease, self.hold
        note = ""
        if lease is not None and lease.expired:
            note, lease = f"the run of {lease.lease.described} was cut off; the next one has its lock at once", None
        return LockStatus(lease.status if lease else None, hold.status if hold else None, note)


@dataclass(frozen=True)
class LockStatus:
    """The same for people and scripts. ``note``: what has just been changed about it."""

    lease: LeaseStatus | None = None
    hold: HoldStatus | None = None
    note: str = ""
