"""Freeze an environment: every deploy is refused until the freeze is released, whoever asks."""

from __future__ import annotations

from dataclasses import replace

from deploykit.deploy.request import RollbackRequest
from deploykit.edges.objects import Objects
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.ledger.journal import author, timestamp
from deploykit.ledger.lock import freeze
from deploykit.ledger.store import Store
from deploykit.model.hint import Hint, command
from deploykit.model.lock import Hold
from deploykit.model.release import Outcome
from deploykit.model.report import RunReport


def hold_of(environment: str, reason: str, verb: str, world: World) -> Hold:
    """A freeze that begins now."""
    by, host, run_url = author(world.environ)
    return Hold(by, reason, timestamp(world.clock.now()), environment, host, run_url, verb)


def freeze_first(request: RollbackRequest, world: World, store: Store | None) -> None:
    """With ``--hold``: freeze before anything is rolled back, so that no deploy that waits comes in behind it.

    A freeze that cannot be written is a warning: the rollback comes first.
    """
    if not request.hold:
        return
    environment = request.configuration.environment
    if store is None:
        world.progress.warn(f"deploys are not frozen: set `state` under [environments.{environment}]")
        return
    hold = hold_of(environment, request.reason or "rolled back with --hold", request.command, world)
    _freeze(store.objects, hold, world)


def _freeze(objects: Objects, hold: Hold, world: World) -> None:
    try:
        standing = freeze(objects, hold)
    except (OutOfReach, FailedBefore) as trouble:
        world.progress.warn(f"deploys are not frozen: {trouble.message}")
        return
    world.progress.say(f"already {standing.described}" if standing else "deploys are frozen")


def with_hold_hint(request: RollbackRequest, report: RunReport) -> RunReport:
    """What a rollback means for the next deploy, and how to stop every one, or how to let them in again."""
    if report.outcome is not Outcome.ROLLED_BACK or not request.configuration.state:
        return report
    again = Hint(command("lock", "release"), " lets deploys in again")
    hold = command("lock", "hold", "--reason", "TEXT")
    stop = Hint("a fix can be deployed; ", hold, " stops every deploy (as --hold does)")
    told = again if request.hold else stop
    return replace(report, hint=Hint(report.hint, "; ", told) if report.hint else told)
