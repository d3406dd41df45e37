"""``deploykit migrate``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import Services, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "migrate", continues="deploykit migrate")
    def migrate(
        run: Run,
        services: Services = None,
        sha: Annotated[str | None, typer.Option("--sha", metavar="COMMIT", help="Instead of HEAD.")] = None,
        allow_dirty: Annotated[
            bool, typer.Option("--allow-dirty", help="Take the work tree as it is, uncommitted changes included.")
        ] = False,
        allow_older: Annotated[
            bool, typer.Option("--allow-older", help="Migrate to a commit that does not contain the running one.")
        ] = False,
        allow_withdrawn: Annotated[
            bool, typer.Option("--allow-withdrawn", help="Migrate to a commit that a rollback has left.")
        ] = False,
        force: Annotated[
            bool, typer.Option("--force", help="Run it although nothing changed since the last one that succeeded.")
        ] = False,
    ) -> Result:
        """Run the migrations of a commit's images, and roll nothing out."""
        from deploykit.cli.steps import run_one

        return run_one(
            run,
            "migrate",
            services,
            revision=sha,
            allow_dirty=allow_dirty,
            allow_older=allow_older,
            allow_withdrawn=allow_withdrawn,
            force=force,
        )
