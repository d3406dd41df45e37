"""``deploykit init``: a commented deploykit.toml for this repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError
from deploykit.model.hint import Command, Hint


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
        if from_cluster is not None:
            return _adopted(run, from_cluster, region)
        if region is not None:
            raise UsageError("--region says where a cluster is read", "add --from-cluster NAME, or leave it out")
        from deploykit.init.starter import write_starter

        starter = write_starter(Path.cwd(), _named(run))
        warnings = [starter.doubt] if starter.doubt else []
        for text in warnings:
            run.screen.warn(text)
        lines = [
            f"wrote {starter.file}: services {', '.join(starter.services)}",
            "Fill in account, cluster, url and the names of the ECS services. The state bucket is made with:",
            *_bucket(starter.commands),
            Hint("  → ", Command("sandbox up"), " tries it here; ", Command("deploy"), " releases"),
        ]
        return Result(0, {**_document(starter.file, starter.services, starter.commands), "warnings": warnings}, lines)


def _adopted(run: Run, cluster: str, region: str | None) -> Result:
    """``cluster``: a name or an ARN, whose region counts where ``region`` is not given."""
    from deploykit.edges.aws.session import caller_account
    from deploykit.init.adopt import adopt_cluster
    from deploykit.init.starter import new_file

    file = new_file(Path.cwd(), _named(run))
    environment = _environment(run)
    arn = cluster.split(":")
    name = cluster.rsplit("/", 1)[-1]
    aws = run.aws(_region(run, region or (arn[3] if len(arn) == 6 else None)))
    account = caller_account(aws)
    where = "sandbox" if run.environ.get("DEPLOYKIT_SANDBOX") else f"account {account} · {aws.region}"
    run.people.line(run.style.bold(f"cluster {name} · {where}"))
    made = adopt_cluster(
        aws,
        account,
        name,
        Path.cwd(),
        file,
        run.screen,
        environment=environment,
        registry=run.environ.get("DEPLOYKIT_REGISTRY") or None,
    )
    left_out = [{"service": one.name, "reason": one.why} for one in made.draft.left_out]
    guesses = made.draft.guesses
    lines = [
        f"wrote {made.file}: environment {made.draft.environment}, services {', '.join(made.draft.services)}",
        *(f"left out {one.name}: {one.why}" for one in made.draft.left_out),
        f"Look at its {guesses} comment{'' if guesses == 1 else 's'} with `guessed:` first. "
        "The state bucket is made with:",
        *_bucket(made.commands),
        Hint("  → ", Command("status"), " shows what runs; ", Command("plan"), " what a release would do"),
    ]
    document = _document(made.file, made.draft.services, made.commands)
    return Result(0, {**document, "left_out": left_out, "warnings": list(made.seen.unseen), "guesses": guesses}, lines)


def _environment(run: Run) -> str | None:
    """The name that --env or $DEPLOYKIT_ENV gives to what is read."""
    name = run.environment
    if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UsageError(f"--env {name!r} is no name of an environment", "use letters, digits, and - _ between them")
    return name


def _region(run: Run, given: str | None) -> str:
    found = given or run.environ.get("AWS_REGION") or run.environ.get("AWS_DEFAULT_REGION")
    if not found:
        from deploykit.edges.aws.session import configured_region

        found = configured_region()
    if not found:
        raise UsageError("no AWS region is set", "add --region NAME, such as --region us-east-1")
    return found


def _named(run: Run) -> Path | None:
    named = run.options.config or run.environ.get("DEPLOYKIT_CONFIG")
    return Path(named) if named else None


def _bucket(commands: Sequence[str]) -> list[str]:
    from deploykit.report.width import Verbatim

    return [*(Verbatim(f"  {line}") for line in commands), "then take the # away before `state`."]


def _document(file: Path, services: Sequence[str], commands: Sequence[str]) -> dict[str, object]:
    return {
        "file": str(file),
        "services": list(services),
        "commands": list(commands),
        "left_out": [],
        "warnings": [],
        "guesses": 0,
    }
