"""``deploykit push``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "push", takes=("services", "sha", "allow_dirty"), continues=True)
    def push(
        run: Run,
        rebuild: Annotated[bool, typer.Option("--rebuild", help="Push what `build --rebuild` made.")] = False,
        **asked: Any,
    ) -> Result:
        """Push the images that the registry lacks."""
        from deploykit.commands.push import push as verb

        return shown(run, verb(deploy_request(run, rebuild=rebuild, **asked), run.world()))
