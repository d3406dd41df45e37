"""``deploykit rollback``: back to what was proven."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import command, duration, known
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import shown
from deploykit.errors import UsageError


def add_to(app: typer.Typer) -> None:
    @command(app, "rollback", takes=["services", "wait", "reason"], continues=True)
    def rollback(
        run: Run,
        services: list[str] | None,
        to: Annotated[
            str | None, typer.Option("--to", metavar="SHA", help="A release's commit, or the beginning of it.")
        ] = None,
        take_over: Annotated[
            bool, typer.Option("--take-over", help="Take the deploy lock from a run that is alive; it stops.")
        ] = False,
        hold: Annotated[bool, typer.Option("--hold", help="Freeze deploys until `deploykit lock release`.")] = False,
        deadline: Annotated[
            str, typer.Option("--deadline", metavar="TIME", help="The longest the whole run may take.")
        ] = "30m",
        wait: str | None = None,
        reason: str | None = None,
    ) -> Result:
        """Roll back to the last verified release.

        That is the newest one before the release that runs; --to names another. Needs no git, Docker or registry login.
        """
        if to is not None and not to.strip():
            raise UsageError("--to names no release", "leave it out to roll back to the last verified one")
        seconds = duration("--deadline", deadline)
        configuration = run.configuration()
        from deploykit.commands.rollback import rollback as verb
        from deploykit.deploy.request import RollbackRequest

        request = RollbackRequest(
            configuration=configuration,
            services=known("service", services or (), configuration.services),
            to=to,
            reason=reason,
            deadline=seconds,
            wait=duration("--wait", wait) if wait is not None else 0.0,
            take_over=take_over,
            hold=hold,
            confirm=run.confirm if run.asks else None,
        )
        return shown(run, verb(request, run.world()))
