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
        from deploykit.cli.steps import deploy_request, shown
        from deploykit.commands import build as verb

        request = deploy_request(run, services, revision=sha, allow_dirty=allow_dirty, rebuild=rebuild)
        return shown(run, verb.build(request, run.world()))
