"""One deployment or rollback at a time: who is let in, who is refused, and the world that a run acts in meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from deploykit.config.schema import Configuration
from deploykit.deploy.request import DeployRequest, RollbackRequest
from deploykit.edges.identity import own_identity
from deploykit.edges.lease import HeldLease, LeasedClock
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach, Refused
from deploykit.ledger.journal import author, timestamp
from deploykit.ledger.lease import Taking, holding
from deploykit.ledger.refusals import log_refusal
from deploykit.ledger.store import Store
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.lock import Lease, Lock, SeenLease

_WAITS = Hint("`--wait 10m` waits for it; ", command("lock", "show"), " shows who holds it")
_TAKES_OVER = Hint(
    "`--take-over` takes it from them, `--wait 10m` waits; ", command("lock", "show"), " shows who holds it"
)


@dataclass(frozen=True)
class Held:
    """The turn of a run. ``world``: changing calls and sleeps in it end where the lease is lost.

    ``seconds``: how long it was waited for; ``taken_from``: who had it, alive, when it was taken over; ``left``: the
    ledger entry of a run that was killed before it gave the lease back, so that nobody saw how it ended.
    """

    world: World
    outlasting: World  # the same without a lease, for what must be written down whatever happens
    allowed: tuple[str, ...]
    seconds: float = 0.0
    taken_from: str | None = None
    left: str | None = None
    lease: HeldLease | None = None

    def noted(self, entry: LedgerEntry) -> LedgerEntry:
        """The run's entry with how it came to its turn; of a run that continues, with what the first one waited."""
        waited = round((entry.lock_seconds or 0.0) + self.seconds, 3)
        allowed = tuple(dict.fromkeys((*entry.allowed, *self.allowed)))
        return replace(entry, lock_seconds=waited, allowed=allowed, taken_from=self.taken_from or entry.taken_from)


@contextmanager
def lease_of(
    request: DeployRequest | RollbackRequest, world: World, store: Store | None, sha: str | None = None
) -> Iterator[Held]:
    """Hold the environment's lease for as long as the body takes; what is refused meanwhile is logged.

    Without ``store`` nothing keeps runs apart, which is said. A rollback goes without the lease where the store is out
    of reach: it is for incidents. Raises: Refused (somebody else has it), OutOfReach, FailedBefore.
    """
    configuration, name = request.configuration, request.command
    if store is None:
        if not configuration.state:
            world.progress.warn(
                f"nothing keeps two runs apart: set `state` under [environments.{configuration.environment}]"
            )
        yield Held(world, world, request.insisted)
        return
    by, host, run_url = author(world.environ)
    began = world.clock.monotonic()
    since = timestamp(world.clock.now())
    mine = Lease(
        secrets.token_hex(8), by, host, name, sha, since, configuration.environment, run_url, process=own_identity()
    )
    take_over = isinstance(request, RollbackRequest) and request.take_over
    refused = _refused_to_roll_back if isinstance(request, RollbackRequest) else _refused
    taking = Taking(store.objects, world.clock, world.progress, refused, request.wait, take_over)
    with logging(store, name, sha, world), ExitStack() as stack:
        lease = None
        try:
            lease = stack.enter_context(holding(mine, taking))
        except (OutOfReach, FailedBefore) as trouble:
            if isinstance(request, DeployRequest):
                raise
            world.progress.warn(f"rolling back without the deploy lock: {trouble.message}")
        yield _held(request, world, lease, world.clock.monotonic() - began)


def _held(request: DeployRequest | RollbackRequest, world: World, lease: HeldLease | None, waited: float) -> Held:
    if lease is None:
        return Held(world, world, request.insisted, waited)
    before = lease.before
    taken = before.lease.described if before and not before.expired else None
    left = before.lease.release if before and before.expired else None
    if before:
        world.progress.warn(
            f"took over the deploy lock of {taken}"
            if taken
            else f"the run of {before.lease.described} was cut off, {_how_known(before)}"
        )
    alone = replace(world, aws=world.aws.guarded(lease.confirm), clock=LeasedClock(world.clock, lease))
    return Held(alone, world, request.insisted, waited, taken, left, lease)


def _how_known(seen: SeenLease) -> str:
    return "and its process is gone" if seen.gone else f"and last heard of {seen.age:.0f} s ago"


def refuse_locked(configuration: Configuration, lock: Lock, *, waits: bool) -> None:
    """Raises: Refused where the environment is frozen, or a living run holds its lease and it is not waited for."""
    environment = configuration.environment
    if lock.hold is not None and lock.hold.environment in ("", environment):  # environments may share one state
        raise Refused(
            f"environment {environment} is {lock.hold.described}",
            Hint(command("lock", "release"), " ends the freeze; ", command("rollback"), " works all the same"),
        )
    if lock.lease is not None and lock.lease.alive and not waits:
        raise _refused(lock.lease)


def _refused(seen: SeenLease) -> Refused:
    return Refused(_held_by(seen), _WAITS)


def _refused_to_roll_back(seen: SeenLease) -> Refused:
    return Refused(_held_by(seen), _TAKES_OVER)


def _held_by(seen: SeenLease) -> str:
    where = f" in environment {seen.lease.environment}" if seen.lease.environment else ""
    return f"the deploy lock is held by {seen.lease.described}{where}; last heard of {seen.age:.0f} s ago"


@contextmanager
def logging(store: Store | None, command: str, sha: str | None, world: World) -> Iterator[None]:
    """What is refused in here stands in the log of refusals, too."""
    try:
        yield
    except Refused as refusal:
        log_refusal(store, command, sha, refusal, world)
        raise
