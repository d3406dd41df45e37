"""``deploykit status``: what runs where, how healthy, and whether the way back is ready."""

from __future__ import annotations

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "status")
    def status(run: Run) -> Result:
        """What runs where, and how healthy.

        Since when, by whom, and whether the way back is ready.
        """
        configuration = run.configuration()
        from deploykit.commands.status import status as look
        from deploykit.report import views
        from deploykit.report.json import plain

        document = plain(look(configuration, run.world()))
        return Result(0, document, views.of_status(document, run.style, run.clock.now()))
