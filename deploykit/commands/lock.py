"""``deploykit lock``: who holds the deploy lock; freeze deploys, and take lock or freeze away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deploykit.config.schema import Configuration
from deploykit.deploy.hold import hold_of
from deploykit.edges.world import World
from deploykit.errors import ConfigError, DeploykitError, Refused
from deploykit.ledger.journal import author, timestamp
from deploykit.ledger.lock import freeze, read_lock, take_away, thaw
from deploykit.ledger.store import Store, open_store, release_id
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.lock import LockStatus, SeenLease
from deploykit.model.release import Outcome


def show(configuration: Configuration, world: World) -> LockStatus:
    """The lease and the freeze as they are. Raises: OutOfReach, FailedBefore."""
    store = open_store(configuration.state, world.aws, configuration.root)
    if store is None:
        return LockStatus(note=f"{_no_lock(configuration)}: nothing keeps two runs apart")
    return read_lock(store.objects).status


def hold(configuration: Configuration, reason: str, world: World) -> LockStatus:
    """Freeze every deploy of the environment.

    Raises: Refused where it is frozen already; ConfigError, OutOfReach, FailedBefore.
    """
    store = _store(configuration, world)
    standing = freeze(store.objects, hold_of(configuration.environment, reason, "lock hold", world))
    if standing is not None:
        raise Refused(
            f"environment {configuration.environment} is already {standing.described}",
            Hint(command("lock", "release"), " ends that freeze first"),
        )
    _record(configuration, store, "lock hold", Outcome.HELD, reason, world)
    found = read_lock(store.objects)
    running = f"; the {found.lease.lease.command} of {found.lease.lease.holder} continues" if found.lease else ""
    return replace(found.status, note=f"deploys of {configuration.environment} are frozen{running}")


def release(
    configuration: Configuration,
    world: World,
    *,
    force: bool,
    reason: str | None = None,
    confirm: Callable[[str], bool] | None = None,
) -> LockStatus:
    """Take the freeze away, and the lease of a run that is gone; with ``force`` that of a living run, too.

    ``confirm`` asks before that. Raises: Refused (a living run has the lease); ConfigError, OutOfReach, FailedBefore.
    """
    store = _store(configuration, world)
    lease = read_lock(store.objects).lease
    if lease is not None and lease.alive and force and confirm is not None and not confirm(_question(lease)):
        return replace(read_lock(store.objects).status, note="nothing was changed")
    ended = thaw(store.objects)
    done = [f"the freeze of {ended.by} is over ({ended.reason})"] if ended else []
    if lease is not None and lease.alive and not force:
        if not ended:
            raise _still_held(lease)
        done.append(f"the deploy lock stays: it is held by {lease.lease.described}")
    elif lease is not None:
        taken = take_away(store.objects, lease)
        done += [f"the deploy lock of {lease.lease.described} was taken away"] if taken else []
    if done:
        _record(configuration, store, "lock release", Outcome.RELEASED, "; ".join(filter(None, (reason, *done))), world)
    note = "; ".join(done) or f"nothing keeps deploys of {configuration.environment} out"
    return replace(read_lock(store.objects).status, note=note)


def _store(configuration: Configuration, world: World) -> Store:
    store = open_store(configuration.state, world.aws, configuration.root)
    if store is None:
        name = configuration.environment
        raise ConfigError(
            _no_lock(configuration),
            f'add `state = "s3://BUCKET/{name}"` under [environments.{name}]',
        )
    return store


def _no_lock(configuration: Configuration) -> str:
    return f"environment {configuration.environment} has no deploy lock, because no `state` is configured for it"


def _still_held(seen: SeenLease) -> Refused:
    return Refused(
        f"the deploy lock is held by {seen.lease.described}, which is alive: last heard of {seen.age:.0f} s ago",
        Hint(command("lock", "release", "--force"), " takes it away all the same: that run stops"),
    )


def _question(seen: SeenLease) -> str:
    return f"take the deploy lock from {seen.lease.described}? That run stops, and leaves what it has begun."


def _record(configuration: Configuration, store: Store, verb: str, outcome: Outcome, reason: str, world: World) -> None:
    """Who froze or released it, and why, among the runs; a ledger that cannot be written is a warning."""
    by, host, run_url = author(world.environ)
    now = world.clock.now()
    try:
        newest = next(iter(store.ids()), None)
        entry = LedgerEntry(
            id=release_id(now, verb.split()[-1], after=newest),
            kind="step",
            command=verb,
            environment=configuration.environment,
            sha=None,
            previous_sha=None,
            started=timestamp(now),
            ended=timestamp(now),
            by=by,
            host=host,
            run_url=run_url,
            seconds=0.0,
            outcome=outcome,
            reason=reason,
        )
        store.create(entry)
    except DeploykitError as trouble:
        world.progress.warn(f"the ledger could not be written: {trouble.message}")
