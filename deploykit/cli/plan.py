"""``deploykit plan``: what ``deploy`` would do now."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import Services, command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "plan")
    def plan(
        run: Run,
        services: Services = None,
        sha: Annotated[str | None, typer.Option("--sha", metavar="COMMIT", help="Instead of HEAD.")] = None,
        allow_dirty: Annotated[
            bool, typer.Option("--allow-dirty", help="Plan for the work tree as it is, uncommitted changes included.")
        ] = False,
    ) -> Result:
        """What deploy would do now: images, changed fields, invalidations, the way back. Changes nothing."""
        from deploykit.cli.steps import deploy_order
        from deploykit.deploy.planning import plan as made
        from deploykit.report import views
        from deploykit.report.json import plain

        order = deploy_order(run, services, revision=sha, allow_dirty=allow_dirty)
        document = plain(made(order, run.edges()))
        return Result(0, document, views.of_plan(document, run.style))
