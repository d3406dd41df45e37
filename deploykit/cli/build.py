"""``deploykit build``: one step of the runbook, by itself."""

from __future__ import annotations

import typer

from deploykit.cli.options import AllowDirty, Rebuild, Services, Sha, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "build", continues=True)
    def build(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        allow_dirty: AllowDirty = False,
        rebuild: Rebuild = False,
    ) -> Result:
        """Build the images that the registry lacks."""
        from deploykit.cli.steps import run_one

        return run_one(run, "build", services, revision=sha, allow_dirty=allow_dirty, rebuild=rebuild)
