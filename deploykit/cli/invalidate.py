"""``deploykit invalidate``: one step of the runbook, by itself."""

from __future__ import annotations

import typer

from deploykit.cli.options import Services, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "invalidate", continues=True)
    def invalidate(
        run: Run,
        services: Services = None,
    ) -> Result:
        """Empty the CDN's caches in front of the services."""
        from deploykit.cli.steps import deploy_request, shown
        from deploykit.commands import invalidate as verb

        request = deploy_request(run, services)
        return shown(run, verb.invalidate(request, run.world()))
