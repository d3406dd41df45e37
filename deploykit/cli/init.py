"""``deploykit init``: a commented deploykit.toml for this repository."""

from __future__ import annotations

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "init")
    def init(run: Run) -> Result:
        """Write a commented deploykit.toml.

        Adapted to this repository, never over an existing file; prints the commands that make the state bucket.
        """
        from pathlib import Path

        from deploykit.config.starter import write_starter

        named = run.options.config or run.environ.get("DEPLOYKIT_CONFIG")
        starter = write_starter(Path.cwd(), Path(named) if named else None)
        lines = [
            f"wrote {starter.file}: services {', '.join(starter.services)}",
            "Fill in account, cluster, url and the names of the ECS services. The state bucket is made with:",
            *(f"  {line}" for line in starter.commands),
            "then take the # away before `state`.",
            "  → deploykit sandbox up tries it here; deploykit deploy releases",
        ]
        document = {"file": str(starter.file), "services": list(starter.services), "commands": list(starter.commands)}
        return Result(0, document, lines)
