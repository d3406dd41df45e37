"""``deploykit sandbox``: a local AWS with real containers, provisioned from this configuration."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import callback, command
from deploykit.cli.run import Result, Run

app = typer.Typer(name="sandbox", help="A local AWS with real containers.")


@callback(app)
def _sandbox() -> None:
    """A local AWS with real containers, provisioned from this configuration."""


@command(app, "up", group="sandbox", continues="deploykit sandbox up")
def up(run: Run) -> Result:
    """Start it and provision the configuration."""
    from deploykit.sandbox import lifecycle

    return _shown(lifecycle.up(run.configuration(), run.screen))


@command(app, "down", group="sandbox", continues="deploykit sandbox down")
def down(run: Run) -> Result:
    """Take it away: containers, processes, files."""
    from deploykit.sandbox import lifecycle

    lifecycle.down(run.configuration(), run.screen)
    return Result(lines=["the sandbox is gone"])


@command(app, "status", group="sandbox")
def status(run: Run) -> Result:
    """Is it running, and where?"""
    from deploykit.sandbox import lifecycle

    return _shown(lifecycle.status(run.configuration()))


@command(app, "reset", group="sandbox", continues="deploykit sandbox reset")
def reset(run: Run) -> Result:
    """Take it away and start it anew, with nothing released."""
    from deploykit.sandbox import lifecycle

    return _shown(lifecycle.reset(run.configuration(), run.screen))


@command(app, "env", group="sandbox", own_format=True)
def env(run: Run) -> Result:
    """Print the variables that lead there.

    eval "$(deploykit sandbox env)" makes every other command act on the sandbox.
    """
    import shlex

    from deploykit.sandbox import lifecycle

    for name, value in lifecycle.env(run.configuration()).items():
        run.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return Result(document=None)


def _shown(state: Any) -> Result:
    from deploykit.report.json import plain

    document: dict[str, Any] = plain(state)
    return Result(0, document, [f"{name.replace('_', ' ')}: {value}" for name, value in document.items()])
