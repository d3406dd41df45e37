"""``deploykit logs``: what a service has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deploykit.cli.options import command, known, lookback
from deploykit.cli.run import Result, Run

if TYPE_CHECKING:
    from deploykit.commands.logs import ServiceLine

_TASK = 8  # digits of a task's id, enough to tell tasks apart


def add_to(app: typer.Typer) -> None:
    @command(app, "logs", own_format=True)
    def logs(
        run: Run,
        service: Annotated[str, typer.Argument(metavar="SERVICE")],
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new lines until Ctrl-C.")] = False,
        since: Annotated[
            str, typer.Option("--since", metavar="TIME", help="How far to look back: 30s, 2h, 1d.")
        ] = "10m",
        container: Annotated[
            str | None, typer.Option("--container", metavar="NAME", help="By default the one that is released.")
        ] = None,
    ) -> Result:
        """The service's log lines, oldest first, each with its time (UTC) and the beginning of its task's id."""
        seconds = lookback("--since", since)
        configuration = run.configuration()
        (name,) = known("service", [service], configuration.services)
        from deploykit.commands.logs import lines_of
        from deploykit.report.json import plain

        show = _Shown(run)
        found = []
        for line in lines_of(configuration, run.world(), name, seconds, follow, container):
            if not run.options.json:
                show(line)
            elif follow:
                run.emit(plain(line))
            else:
                found.append(plain(line))
        if not show.count and not found:
            run.people.line(f"no line in the last {since}")
        return Result(0, None if follow else {"lines": found})


class _Shown:
    """Shows lines to people, and counts them. Raises: BrokenPipeError when the reader leaves."""

    def __init__(self, run: Run) -> None:
        from deploykit.report.github_commands import people_stream
        from deploykit.report.style import Style, wants_colour

        self.count = 0
        self._stream = people_stream(run.stdout, run.environ)  # a line is as long as its service wrote it
        self._style = Style(wants_colour(run.stdout, run.environ))
        self._today = run.clock.now().date().isoformat()

    def __call__(self, line: ServiceLine) -> None:
        self.count += 1
        date, _, moment = line.time.partition("T")
        label = moment[:8] if date == self._today else f"{date} {moment[:8]}"
        label += f" {line.task[:_TASK]}" if line.task else ""
        self._stream.line(f"{self._style.dim(label)}  {line.text}")
        if self._stream.gone:
            raise BrokenPipeError
