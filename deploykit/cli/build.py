"""``deploykit build``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import Services, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "build", continues="deploykit build")
    def build(
        run: Run,
        services: Services = None,
        sha: Annotated[str | None, typer.Option("--sha", metavar="COMMIT", help="Instead of HEAD.")] = None,
        allow_dirty: Annotated[
            bool, typer.Option("--allow-dirty", help="Take the work tree as it is, uncommitted changes included.")
        ] = False,
        rebuild: Annotated[
            bool, typer.Option("--rebuild", help="Build afresh, with newly pulled base images, what is there already.")
        ] = False,
    ) -> Result:
        """Build the images that the registry lacks."""
        from deploykit.cli.steps import run_one

        return run_one(run, "build", services, revision=sha, allow_dirty=allow_dirty, rebuild=rebuild)
