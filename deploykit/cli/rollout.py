"""``deploykit rollout``: one step of the runbook, by itself."""

from __future__ import annotations

import typer

from deploykit.cli.options import AllowDirty, AllowOlder, AllowWithdrawn, Services, Sha, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "rollout", continues=True)
    def rollout(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        allow_dirty: AllowDirty = False,
        allow_older: AllowOlder = False,
        allow_withdrawn: AllowWithdrawn = False,
    ) -> Result:
        """Roll out pushed images, without a verdict."""
        from deploykit.cli.steps import deploy_request, shown
        from deploykit.commands import rollout as verb

        request = deploy_request(run, services,
            revision=sha,
            allow_dirty=allow_dirty,
            allow_older=allow_older,
            allow_withdrawn=allow_withdrawn,
        )
        return shown(run, verb.rollout(request, run.world()))
