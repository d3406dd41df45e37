"""The program: one command line in, one exit code out. The only place that ends the process."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from deploykit.errors import DeploykitError, ExitCode
from deploykit.model.hint import Hint, shown

if TYPE_CHECKING:
    from deploykit.cli.run import Result, Run
    from deploykit.edges.clock import Clock
    from deploykit.report.stream import PeopleStream

_LOCAL = {"sandbox", "demo"}  # they change only this machine


def main(
    argv: Sequence[str],
    *,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Run one command line (without the program's name) and return its exit code; never raises.

    ``clock`` times the whole run, so that a simulator can own it. Only deploykit itself reads ``environ``; boto3, git
    and Docker read the process's own environment.
    """
    environ = os.environ if environ is None else environ
    stdout = stdout or sys.stdout
    stderr = stderr or sys.stderr
    gc.disable()  # importing and parsing leave no garbage, and looking for it takes a tenth of the time of --help
    try:
        from deploykit.cli import app

        parsed = app.parse(argv, stdout, stderr)
    except DeploykitError as error:
        return _refuse_to_parse(error, argv, environ, stdout, stderr)
    except BrokenPipeError:
        return ExitCode.OK
    finally:
        gc.enable()
    if isinstance(parsed, int):
        return parsed
    from deploykit.cli.run import Run

    if clock is None:
        from deploykit.edges.clock import SystemClock

        clock = SystemClock()
    run = Run(parsed, clock, environ, stdout, stderr)
    result = _result(run)
    run.close()
    for line in result.lines:
        run.people.line(shown(line, run.options.named))
    if result.document is not None and (run.options.json or _github_listens(environ)):
        text = run.document(result.document, result.exit_code, line=run.invocation.stream)
        if run.options.json:
            _write(run.stdout, text)
        _tell_github(text, environ, run.people.stream, run.site)
    return int(result.exit_code)


def _result(run: Run) -> Result:
    """The command's own result, or that of its error, which is shown to people."""
    from deploykit.cli.run import Result
    from deploykit.report import json as documents

    def failed(code: int, message: str, hint: str, error: DeploykitError | None = None) -> Result:
        run.close()
        named = run.options.named
        _say_error(run.stderr, run.environ, shown(message, named), shown(hint, named), error)
        known = getattr(error, "report", None)
        part = documents.run_part(known) if known else documents.empty_part(run.command, code)
        return Result(code, {**part, "error": documents.error_part(message, hint, error)})

    try:
        result: Result = run.invocation.act(run)
        return result
    except DeploykitError as error:
        return failed(error.code, error.message, error.hint, error)
    except KeyboardInterrupt as interrupt:  # or a lost lease, which says why
        why = f"{interrupt}; " if str(interrupt) else ""
        return failed(ExitCode.INTERRUPTED, Hint("interrupted: ", why, _left(run)), "")
    except BrokenPipeError:  # the reader of our stdout has left
        return Result(ExitCode.OK, None)
    except Exception as error:  # noqa: BLE001 (the last place that can still say something)
        import traceback

        from deploykit.report.github_commands import people_stream

        run.close()
        people_stream(run.stderr, run.environ).line(traceback.format_exc().rstrip("\n"))
        return failed(ExitCode.BUG, f"{type(error).__name__}: {error}", "this is a bug in deploykit: please report it")


def _left(run: Run) -> str:
    """What was left, and which command continues. A run that has begun says so itself (deploy/run.py)."""
    continues = run.invocation.continues
    if continues is None:
        return "nothing was changed"
    unchanged = "" if run.command.split()[0] in _LOCAL else "nothing that runs was changed; "
    return Hint(unchanged, continues, " continues")


def _refuse_to_parse(
    error: DeploykitError, argv: Sequence[str], environ: Mapping[str, str], stdout: TextIO, stderr: TextIO
) -> int:
    """Show the error; a command line that cannot be parsed may still ask for a document."""
    from deploykit.cli import app

    _say_error(stderr, environ, error.message, error.hint, error)
    as_json = "--json" in app.before_dashes(argv)
    if as_json or _github_listens(environ):
        from deploykit.report import json as documents

        command, environment = app.name_in(argv), environ.get("DEPLOYKIT_ENV") or None
        document = documents.envelope(command, environment, error.code, 0.0, {})
        document |= documents.empty_part(command, error.code)
        document["error"] = documents.error_part(error.message, error.hint, error)
        text = documents.write(document, line=not {"--follow", "--watch"}.isdisjoint(argv))
        if as_json:
            _write(stdout, text)
        _tell_github(text, environ, stderr)
    return int(error.code)


def _github_listens(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"))


def _tell_github(text: str, environ: Mapping[str, str], stream: TextIO, site: str | None = None) -> None:
    """Give GitHub what the document ``text`` says, where it listens; the command has ended, and nothing changes how."""
    if not _github_listens(environ):
        return
    import json

    from deploykit.report import github

    try:
        github.tell(json.loads(text), environ, stream, site)
    except Exception as error:  # noqa: BLE001 (a bug in showing a release must not make it look failed)
        _people(stream, environ).line(
            f"warning: GitHub could not be told how it ended: {type(error).__name__}: {error}"
        )


def _say_error(
    stderr: TextIO, environ: Mapping[str, str], message: str, hint: str, error: DeploykitError | None
) -> None:
    stream = _people(stderr, environ)
    if error is not None and error.code == ExitCode.INTERRUPTED and hint:
        message, hint = f"{message}; {hint}", ""  # one last line: what was left and which command continues
    stream.line(f"error: {message}")
    for problem in error.problems if error is not None else ():
        stream.line(f"  {problem}")
    if hint:
        stream.line("  → " + hint.replace("\n", "\n    "))


def _people(stream: TextIO, environ: Mapping[str, str]) -> PeopleStream:
    from deploykit.report.github_commands import people_stream
    from deploykit.report.width import width_of

    return people_stream(stream, environ, lambda: width_of(stream, environ))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        pass


def _terminated(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def run() -> None:
    """The console script. SIGTERM ends a run as Ctrl-C does; a reader that leaves early is not an error."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = main(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command itself
        code = int(ExitCode.INTERRUPTED)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at exit
    sys.exit(code)


if __name__ == "__main__":
    run()
