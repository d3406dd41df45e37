"""``deploykit plan``: what ``deploy`` would do now."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import RELEASE, command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request


def add_to(app: typer.Typer) -> None:
    @command(app, "plan", takes=[name for name in RELEASE if name != "no_rollback"])
    def plan(run: Run, **asked: Any) -> Result:
        """What deploy would do now: images, changed fields, migrations, invalidations, the way back. Changes nothing.

        Takes the options of deploy, and shows what deploy would do with them.
        """
        from deploykit.commands.plan import plan as made
        from deploykit.report import views
        from deploykit.report.json import plain

        document = plain(made(deploy_request(run, **asked), run.world()))
        return Result(0, document, views.of_plan(document, run.style))
