"""``deploykit history``: the releases, newest first, and the four measures of them."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import command, lookback
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError

_LIMIT = 20  # releases, where neither --limit nor --since says how many
_STATS_SINCE = "90d"


def add_to(app: typer.Typer) -> None:
    @command(app, "history")
    def history(
        run: Run,
        limit: Annotated[
            int | None,
            typer.Option("--limit", metavar="N", help=f"How many, newest first; {_LIMIT} without --since."),
        ] = None,
        since: Annotated[
            str | None,
            typer.Option("--since", metavar="TIME", help=f"How far to look back: 12h, 30d; --stats: {_STATS_SINCE}."),
        ] = None,
        stats: Annotated[
            bool, typer.Option("--stats", help="The four DORA measures, and what each is computed from.")
        ] = False,
    ) -> Result:
        """The releases, newest first, with verdicts.

        --stats: deployment frequency, change lead time, change fail rate and failed deployment recovery time, all
        computed from the ledger.
        """
        if limit is not None and limit < 1:
            raise UsageError(f"--limit {limit} must be 1 or more")
        if stats and limit is not None:
            raise UsageError("--limit cannot be used with --stats", "--since TIME says how far --stats looks back")
        asked = _STATS_SINCE if stats and since is None else since
        seconds = None if asked is None else lookback("--since", asked)
        configuration = run.configuration()
        from deploykit.commands import history as reading
        from deploykit.report import views
        from deploykit.report.json import plain

        if stats and seconds is not None:
            document = plain(reading.statistics(configuration, run.world(), seconds))
        else:
            most = _LIMIT if limit is None and seconds is None else limit
            document = plain(reading.history(configuration, run.world(), most, seconds))
        if since is not None and not stats and not document["releases"]:
            return Result(0, document, [f"no release in the last {since}"])
        return Result(0, document, views.of_history(document, run.style))
