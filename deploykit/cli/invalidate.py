"""``deploykit invalidate``: one step of the runbook, by itself."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "invalidate", takes=("services", "wait", "reason"), continues=True)
    def invalidate(run: Run, **asked: Any) -> Result:
        """Empty the CDN's caches in front of the services."""
        from deploykit.commands.invalidate import invalidate as verb

        return shown(run, verb(deploy_request(run, **asked), run.world()))
