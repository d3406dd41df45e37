"""``deploykit sandbox``: a local AWS with real containers, provisioned from this configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from deploykit.cli.options import callback, command
from deploykit.cli.run import Result, Run
from deploykit.model.hint import Command, Hint

if TYPE_CHECKING:
    from deploykit.sandbox.lifecycle import Running

app = typer.Typer(name="sandbox", help="A local AWS with real containers.")


@callback(app)
def _sandbox() -> None:
    """A local AWS with real containers, provisioned from this configuration."""


@command(app, "up", group="sandbox", continues=True)
def up(run: Run) -> Result:
    """Start it and provision the configuration."""
    from deploykit.sandbox import lifecycle

    return _reached(run, lifecycle.up(run.configuration(), lambda text: run.screen.live("sandbox", text)))


@command(app, "down", group="sandbox", continues=True)
def down(run: Run) -> Result:
    """Remove it: containers, processes, files."""
    configuration = run.configuration()
    from deploykit.sandbox import lifecycle

    there = lifecycle.down(configuration, lambda text: run.screen.live("sandbox", text))
    return Result(0, lifecycle.status(configuration), ["the sandbox was removed" if there else "there was no sandbox"])


@command(app, "status", group="sandbox")
def status(run: Run) -> Result:
    """Is it running, and where?"""
    from deploykit.sandbox import lifecycle

    document = lifecycle.status(run.configuration())
    if not document["running"]:
        return Result(0, document, ["the sandbox is not up", Hint("  → ", Command("sandbox up", ticks=False))])
    lines = [f"{key.replace('_', ' ').ljust(13)}  {value}" for key, value in document.items() if key != "services"]
    for key, service in document["services"].items():
        lines.append(f"  {key}: {service['running']}/{service['desired']} tasks, {service['rollout']}")
    return Result(0, document, lines)


@command(app, "reset", group="sandbox", continues=True)
def reset(run: Run) -> Result:
    """Remove it and start it again, with nothing released."""
    from deploykit.sandbox import lifecycle

    return _reached(run, lifecycle.reset(run.configuration(), lambda text: run.screen.live("sandbox", text)))


@command(app, "env", group="sandbox", own_format=True)
def env(run: Run) -> Result:
    """Print the variables that make commands use it.

    eval "$(deploykit sandbox env)" makes every other command act on the sandbox.
    """
    from deploykit.sandbox import lifecycle

    run.stdout.write(lifecycle.env(run.configuration()))
    return Result(document=None)


def _reached(run: Run, found: Running) -> Result:
    from deploykit.sandbox import lifecycle

    head = "the sandbox was up already" if found.already else f"the sandbox is up after {run.seconds:.1f} s"
    return Result(0, lifecycle.status(run.configuration()), [head, *found.lines()])
