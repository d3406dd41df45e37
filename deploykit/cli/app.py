"""The command line as a whole: the table of commands, and parsing it into an `Invocation`."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Sequence
from typing import Annotated, Any, TextIO

import typer

from deploykit import __version__
from deploykit.cli import (
    build,
    check,
    demo,
    deploy,
    history,
    init,
    invalidate,
    lock,
    logs,
    migrate,
    plan,
    push,
    rollback,
    rollout,
    sandbox,
    schema,
    status,
)
from deploykit.cli.options import Invocation, callback
from deploykit.errors import ExitCode, UsageError
from deploykit.model.hint import PROGRAM, Command, Hint

_COMPLETING = "_DEPLOYKIT_COMPLETE"  # Typer's: a shell that completes a word sets it, and passes no arguments

app = typer.Typer(
    name=PROGRAM,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@callback(app)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Takes the commit you are on to what users see, proves it, and rolls back to the last good release if it fails.

    Exit codes: 0 done; 2 fix the command or the file; 3 out of reach; 4 refused; 5 failed before anything that runs
    was touched; 6 migration failed; 10 failed and rolled back; 11 not healthy; 12 inconclusive; 130 interrupted.
    """


for _verb in (init, plan, deploy, build, push, migrate, rollout, invalidate, check, rollback, status, history, logs):
    _verb.add_to(app)
app.add_typer(lock.app)
app.add_typer(sandbox.app)
for _verb in (demo, schema):
    _verb.add_to(app)


def parse(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> Invocation | int:
    """What ``argv`` asks for; an exit code where that was answered already (``--help``, ``--version``, completion).

    Raises: UsageError.
    """
    if not argv and _COMPLETING not in os.environ:
        stderr.write(_help([]))
        return int(ExitCode.USAGE)
    path = _path_in(argv)
    if path and not {"-h", "--help"}.isdisjoint(before_dashes(argv)):
        stdout.write(_help(path))  # Typer would first load pydantic, for the options before --help
        return int(ExitCode.OK)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            answer = _commands()(args=list(argv), prog_name=PROGRAM, standalone_mode=False)
    except SystemExit as end:  # how completion ends
        return end.code if isinstance(end.code, int) else 0
    except typer.TyperException as error:
        raise _usage(error, argv) from None
    return answer if isinstance(answer, Invocation) else int(answer or 0)


def before_dashes(argv: Sequence[str]) -> Sequence[str]:
    """The part of a command line before ``--``, where words with a dash are options."""
    return argv[: argv.index("--")] if "--" in argv else argv


def name_in(argv: Sequence[str]) -> str:
    """The command that ``argv`` names, although it could not be parsed; empty where it names none."""
    return " ".join(_path_in(argv))


@functools.cache
def _commands() -> Any:
    """The commands as Typer makes them; once, because it reads every function's signature."""
    return typer.main.get_command(app)


def _path_in(argv: Sequence[str]) -> list[str]:
    node = _commands()
    path: list[str] = []
    for word in before_dashes(argv):
        child = getattr(node, "commands", {}).get(word)
        if child is not None:
            path.append(word)
            node = child
    return path


def _help(path: Sequence[str]) -> str:
    node = _commands()
    context = node.context_class(node, info_name=PROGRAM, **node.context_settings)
    for name in path:
        node = node.commands[name]
        context = node.context_class(node, info_name=name, parent=context, **node.context_settings)
    return f"{node.get_help(context)}\n"


def _usage(error: typer.TyperException, argv: Sequence[str]) -> UsageError:
    asked = Command(name_in(argv), ("--help",))
    return UsageError(error.format_message().rstrip("."), Hint(asked, " lists what it takes"))
