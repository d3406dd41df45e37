"""``deploykit schema``: the JSON Schema of deploykit.toml, for editors."""

from __future__ import annotations

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "schema", own_format=True)
    def schema(run: Run) -> Result:
        """Print the JSON Schema of deploykit.toml, for editors."""
        import json

        from deploykit.config.json_schema import json_schema

        run.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
        return Result(document=None)
