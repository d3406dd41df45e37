"""``deploykit plan``: what ``deploy`` would do now."""

from __future__ import annotations

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
    @command(app, "plan")
    def plan(
        run: Run,
        services: Services = None,
        sha: Sha = None,
        rebuild: Rebuild = False,
        allow_dirty: AllowDirty = False,
        allow_older: AllowOlder = False,
        allow_withdrawn: AllowWithdrawn = False,
        deadline: ReleaseDeadline = "30m",
    ) -> Result:
        """What deploy would do now: images, changed fields, migrations, invalidations, the way back. Changes nothing.

        With the same options as deploy, what deploy with them would do.
        """
        seconds = duration("--deadline", deadline)
        from deploykit.cli.steps import deploy_request
        from deploykit.commands.plan import plan as made
        from deploykit.report import views
        from deploykit.report.json import plain

        request = deploy_request(
            run,
            services,
            revision=sha,
            rebuild=rebuild,
            allow_dirty=allow_dirty,
            allow_older=allow_older,
            allow_withdrawn=allow_withdrawn,
            deadline=seconds,
        )
        document = plain(made(request, run.world()))
        return Result(0, document, views.of_plan(document, run.style))
