"""``deploykit check``: is it healthy now?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deploykit.cli.options import command, known
from deploykit.cli.run import Result, Run
from deploykit.errors import OutOfReach, UsageError

if TYPE_CHECKING:
    from deploykit.edges.world import World


def add_to(app: typer.Typer) -> None:
    @command(app, "check")
    def check(
        run: Run,
        endpoints: Annotated[
            list[str] | None, typer.Argument(metavar="ENDPOINT", help="By default all.", show_default=False)
        ] = None,
        rounds: Annotated[
            int | None, typer.Option("--rounds", metavar="N", help="The sequential test over N rounds.")
        ] = None,
        watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl-C.")] = False,
    ) -> Result:
        """Is it healthy now?

        Asks every endpoint once, and twice more if it fails. Exit 0: healthy; 11: down; 12: could not be judged.
        """
        if rounds is not None and rounds < 1:
            raise UsageError(f"--rounds {rounds} must be 1 or more", "leave it out to ask once")
        configuration = run.configuration()
        names = known("endpoint", endpoints or (), [endpoint.id for endpoint in configuration.checks.endpoints])
        from deploykit.commands.check import check as look
        from deploykit.report import views
        from deploykit.report.json import plain

        world = _world(run)
        while True:
            result = look(configuration, names, rounds, world)
            now = run.clock.now()
            document = {"at": plain(now), **plain(result)}
            del document["exit_code"]  # it is the envelope's
            lines = views.of_check(document, run.style, now if watch else None)
            if not watch:
                return Result(result.exit_code, document, lines)
            for line in lines:
                run.people.line(line)
            if run.options.json:
                run.emit(document, result.exit_code)
            elif run.people.gone:
                raise BrokenPipeError  # the reader has left
            run.clock.sleep(configuration.checks.interval)


def _world(run: Run) -> World:
    """The world, even without credentials: then versions are reported, but not compared."""
    from deploykit.preflight.account import verify_account

    world = run.world(account=False)
    try:
        verify_account(run.configuration(), world.aws)
    except OutOfReach as error:
        run.screen.warn(f"versions are not compared with what ECS runs: {error.message}")
    return world
