"""``deploykit push``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import AllowDirty, Services, Sha, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "push", continues=True)
    def push(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        allow_dirty: AllowDirty = False,
        rebuild: Annotated[bool, typer.Option("--rebuild", help="Push what `build --rebuild` made.")] = False,
    ) -> Result:
        """Push the images that the registry lacks."""
        from deploykit.cli.steps import deploy_request, shown
        from deploykit.commands import push as verb

        request = deploy_request(run, services, revision=sha, allow_dirty=allow_dirty, rebuild=rebuild)
        return shown(run, verb.push(request, run.world()))
