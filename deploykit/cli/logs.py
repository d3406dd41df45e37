"""``deploykit logs``: what a service has written."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import command, duration, known
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "logs", own_format=True)
    def logs(
        run: Run,
        service: Annotated[str, typer.Argument(metavar="SERVICE")],
        follow: Annotated[bool, typer.Option("--follow", help="Go on with new lines until Ctrl-C.")] = False,
        since: Annotated[str, typer.Option("--since", metavar="TIME", help="How far to look back.")] = "10m",
    ) -> Result:
        """The service's log lines, oldest first."""
        seconds = duration("--since", since)
        configuration = run.configuration()
        (name,) = known("service", [service], configuration.services)
        from deploykit.deploy.reading.logs import lines_of
        from deploykit.report.json import plain

        found = []
        for line in lines_of(configuration, run.edges(), name, seconds, follow):
            if not run.options.json:
                run.stdout.write(line.text + "\n")
                run.stdout.flush()
            elif follow:
                run.emit(plain(line))
            else:
                found.append(plain(line))
        return Result(0, None if follow else {"lines": found})
