"""``deploykit deploy``: the whole run."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import (
    AllowDirty,
    AllowOlder,
    AllowWithdrawn,
    Rebuild,
    ReleaseDeadline,
    Services,
    Sha,
    command,
    duration,
)
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "deploy", continues=True)
    def deploy(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        rebuild: Rebuild = False,
        allow_dirty: AllowDirty = False,
        allow_older: AllowOlder = False,
        allow_withdrawn: AllowWithdrawn = False,
        no_rollback: Annotated[
            bool, typer.Option("--no-rollback", help="Leave a failed release as it is (exit 11).")
        ] = False,
        deadline: ReleaseDeadline = "30m",
    ) -> Result:
        """Release a commit, prove it, or put it back.

        Build, push, roll out, invalidate, check, and put back what ran if it is worse than before.
        """
        seconds = duration("--deadline", deadline)
        from deploykit.cli.steps import deploy_request, shown

        request = deploy_request(
            run,
            services,
            revision=sha,
            rebuild=rebuild,
            allow_dirty=allow_dirty,
            allow_older=allow_older,
            allow_withdrawn=allow_withdrawn,
            undo=not no_rollback,
            deadline=seconds,
        )
        from deploykit.commands import deploy as verb

        return shown(run, verb.deploy(request, run.world()))
