"""``deploykit deploy``: the whole run."""

from __future__ import annotations

from typing import Any

import typer

from deploykit.cli.options import RELEASE, command
from deploykit.cli.run import Result, Run
from deploykit.cli.steps import deploy_request, shown


def add_to(app: typer.Typer) -> None:
    @command(app, "deploy", takes=RELEASE, continues=True)
    def deploy(run: Run, **asked: Any) -> Result:
        """Release a commit, prove it, or roll it back.

        Build, push, roll out, invalidate, check; roll back if it is worse than before.
        """
        from deploykit.commands.deploy import deploy as verb

        return shown(run, verb(deploy_request(run, **asked), run.world()))
