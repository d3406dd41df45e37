"""``deploykit build``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "build", takes=("services", "sha", "allow_dirty", "rebuild"), continues=True)
    def build(run: Run, **asked: Any) -> Result:
        """Build the images that the registry lacks."""
        from deploykit.commands.build import build as verb

        return shown(run, verb(deploy_request(run, **asked), run.world()))
