"""``deploykit rollout``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import STEP, command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "rollout", takes=STEP, continues=True)
    def rollout(run: Run, **asked: Any) -> Result:
        """Roll out pushed images, without a verdict."""
        from deploykit.commands.rollout import rollout as verb

        return shown(run, verb(deploy_request(run, **asked), run.world()))
