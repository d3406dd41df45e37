"""``deploykit lock``: who deploys now, and a freeze for everybody."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deploykit.cli.options import callback, command
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError

if TYPE_CHECKING:
    from deploykit.model.lock import LockStatus

app = typer.Typer(name="lock", help="Who deploys now; freeze deploys, and let them in again.")


@callback(app)
def _lock() -> None:
    """The deploy lock: one deployment or rollback of an environment at a time, and a freeze for everybody."""


@command(app, "show", group="lock")
def show(run: Run) -> Result:
    """Who holds the deploy lock, since when, and whether deploys are frozen."""
    configuration = run.configuration()
    from deploykit.commands import lock as verbs

    return _shown(run, verbs.show(configuration, run.world()))


@command(app, "hold", group="lock")
def hold(
    run: Run,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Shown to all who deploy.")] = None,
) -> Result:
    """Freeze deploys until `lock release`.

    A rollback works all the same; a run that is under way continues.
    """
    if reason is None or not reason.strip():
        raise UsageError("lock hold needs a reason", 'add --reason "what is wrong": everybody who deploys reads it')
    configuration = run.configuration()
    from deploykit.commands import lock as verbs

    return _shown(run, verbs.hold(configuration, reason.strip(), run.world()))


@command(app, "release", group="lock")
def release(
    run: Run,
    force: Annotated[bool, typer.Option("--force", help="Although its holder is alive; that run stops.")] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Kept in the ledger.")] = None,
) -> Result:
    """Take away the freeze, and the lock of a run that is gone."""
    asks = sys.stdin is not None and sys.stdin.isatty() and not run.environ.get("CI")
    if force and not asks and not run.options.yes and not run.environ.get("CI"):
        raise UsageError("lock release --force stops a run, and nobody can be asked here", "add --yes to do it")
    configuration = run.configuration()
    from deploykit.commands import lock as verbs

    confirm = run.confirm if asks and not run.options.yes else None
    return _shown(run, verbs.release(configuration, run.world(), force=force, reason=reason, confirm=confirm))


def _shown(run: Run, status: LockStatus) -> Result:
    from deploykit.report import views
    from deploykit.report.json import plain

    document = plain(status)
    return Result(0, document, views.of_lock(document, run.style, run.clock.now()))
