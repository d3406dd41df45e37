"""``deploykit history``: the releases, newest first."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError


def add_to(app: typer.Typer) -> None:
    @command(app, "history")
    def history(
        run: Run,
        limit: Annotated[int, typer.Option("--limit", metavar="N", help="How many, newest first.")] = 20,
    ) -> Result:
        """The releases, newest first, with verdicts."""
        if limit < 1:
            raise UsageError(f"--limit {limit} must be 1 or more")
        configuration = run.configuration()
        from deploykit.deploy.reading.history import history as read
        from deploykit.report import views
        from deploykit.report.json import plain

        document = plain(read(configuration, run.edges(), limit))
        return Result(0, document, views.of_history(document, run.style))
