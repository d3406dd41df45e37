"""``deploykit deploy``: the whole run."""

from __future__ import annotations

from typing import Annotated

import typer

from deploykit.cli.options import Services, command, duration
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "deploy", continues="deploykit deploy")
    def deploy(
        run: Run,
        services: Services = None,
        sha: Annotated[str | None, typer.Option("--sha", metavar="COMMIT", help="Instead of HEAD.")] = None,
        rebuild: Annotated[
            bool, typer.Option("--rebuild", help="Build afresh, with newly pulled base images, what is there already.")
        ] = False,
        allow_dirty: Annotated[
            bool, typer.Option("--allow-dirty", help="Build the work tree as it is, uncommitted changes included.")
        ] = False,
        allow_older: Annotated[
            bool, typer.Option("--allow-older", help="Release a commit that does not contain the running one.")
        ] = False,
        allow_withdrawn: Annotated[
            bool, typer.Option("--allow-withdrawn", help="Release a commit that a rollback has left.")
        ] = False,
        no_rollback: Annotated[
            bool, typer.Option("--no-rollback", help="Leave a failed release as it is (exit 11).")
        ] = False,
        deadline: Annotated[
            str, typer.Option("--deadline", metavar="TIME", help="The longest everything after the push may take.")
        ] = "30m",
    ) -> Result:
        """Release a commit, prove it, or put it back.

        Build, push, roll out, invalidate, check, and put back what ran if it is worse than before.
        """
        seconds = duration("--deadline", deadline)
        from deploykit.cli.steps import deploy_order, shown

        order = deploy_order(
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
        from deploykit.deploy import flow

        return shown(run, flow.deploy(order, run.edges()))
