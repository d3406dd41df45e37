"""``deploykit init``: a commented deploykit.toml for this repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError
from deploykit.model.hint import Command, Hint

if TYPE_CHECKING:
    from deploykit.commands.init import Written


def add_to(app: typer.Typer) -> None:
    @command(app, "init")
    def init(
        run: Run,
        from_cluster: Annotated[
            str | None, typer.Option("--from-cluster", metavar="NAME", help="Fill it in from this ECS cluster.")
        ] = None,
        region: Annotated[
            str | None, typer.Option("--region", metavar="NAME", help="Where the cluster is; by default AWS's own.")
        ] = None,
    ) -> Result:
        """Write a commented deploykit.toml.

        Adapted to this repository, never over an existing file; prints the commands that make the state bucket. With
        --from-cluster it is read from what runs: ECS, ECR, the load balancer, CloudFront. Nothing there is changed.
        """
        if from_cluster is None and region is not None:
            raise UsageError("--region names where to read a cluster", "add --from-cluster NAME, or leave it out")
        from deploykit.commands import init as verb
        from deploykit.init.starter import new_file
        from deploykit.report.json import plain

        root, named = Path.cwd(), run.options.config or run.environ.get("DEPLOYKIT_CONFIG")
        file = new_file(root, Path(named) if named else None)
        if from_cluster is None:
            written = verb.init(root, file, run.screen)
            lines = _of_starter(written)
        else:
            environment = _environment(run)
            from deploykit.edges.aws.session import caller_account

            world = run.world_in(verb.region_of(from_cluster, region, run.environ))
            account = caller_account(world.aws)
            name = from_cluster.rsplit("/", 1)[-1]  # of an ARN, its end
            run.say_where(f"cluster {name}", account, world.aws.region)
            written = verb.init_from_cluster(name, account, environment, root, file, world)
            lines = _of_cluster(written)
        document = plain(written)
        del document["environment"]
        return Result(0, document, lines)


def _environment(run: Run) -> str | None:
    """The name that --env or $DEPLOYKIT_ENV gives to what is read. Raises: UsageError where it cannot be one."""
    name = run.environment
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UsageError(f"--env {name!r} cannot be an environment's name", "use letters, digits, and - _ between them")
    return name


def _of_starter(written: Written) -> list[str]:
    return [
        f"wrote {written.file}: services {', '.join(written.services)}",
        "Fill in account, cluster, url and the names of the ECS services. These commands make the state bucket:",
        *_bucket(written.commands),
        Hint("  → ", Command("sandbox up"), " tries it here; ", Command("deploy"), " releases"),
    ]


def _of_cluster(written: Written) -> list[str]:
    count = f"{written.guesses} comment{'' if written.guesses == 1 else 's'}"
    return [
        f"wrote {written.file}: environment {written.environment}, services {', '.join(written.services)}",
        *(f"left out {one.service}: {one.reason}" for one in written.left_out),
        f"Look at its {count} with `guessed:` first. These commands make the state bucket:",
        *_bucket(written.commands),
        Hint("  → ", Command("status"), " shows what runs; ", Command("plan"), " what a release would do"),
    ]


def _bucket(commands: Sequence[str]) -> list[str]:
    from deploykit.report.width import Verbatim

    return [*(Verbatim(f"  {line}") for line in commands), "Then remove the # before `state`."]
