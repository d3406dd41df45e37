"""``deploykit migrate``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploykit.cli.options import STEP, command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "migrate", takes=STEP, continues=True)
    def migrate(
        run: Run,
        force: Annotated[
            bool, typer.Option("--force", help="Run it although nothing changed since the last one that succeeded.")
        ] = False,
        **asked: Any,
    ) -> Result:
        """Run the migrations of a commit's images, and roll nothing out."""
        from deploykit.commands.migrate import migrate as verb

        return shown(run, verb(deploy_request(run, force=force, **asked), run.world()))
