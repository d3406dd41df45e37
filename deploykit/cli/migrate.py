"""``deploykit migrate``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import AllowDirty, AllowOlder, AllowWithdrawn, Services, Sha, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "migrate", continues=True)
    def migrate(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        allow_dirty: AllowDirty = False,
        allow_older: AllowOlder = False,
        allow_withdrawn: AllowWithdrawn = False,
        force: Annotated[
            bool, typer.Option("--force", help="Run it although nothing changed since the last one that succeeded.")
        ] = False,
    ) -> Result:
        """Run the migrations of a commit's images, and roll nothing out."""
        from deploykit.cli.steps import deploy_request, shown
        from deploykit.commands import migrate as verb

        request = deploy_request(run, services,
            revision=sha,
            allow_dirty=allow_dirty,
            allow_older=allow_older,
            allow_withdrawn=allow_withdrawn,
            force=force,
        )
        return shown(run, verb.migrate(request, run.world()))
