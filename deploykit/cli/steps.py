"""What the commands of a release share: the request made from their options, and the result made of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from deploykit.cli.options import duration, known
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError
from deploykit.model.hint import Command

if TYPE_CHECKING:
    from deploykit.deploy.request import DeployRequest
    from deploykit.model.report import RunReport


def deploy_request(
    run: Run,
    *,
    services: Sequence[str] | None,
    sha: str | None = None,
    no_rollback: bool = False,
    deadline: str = "30m",
    wait: str | None = None,
    reason: str | None = None,
    **insisted: bool,
) -> DeployRequest:
    """The request; ``insisted``: its other fields, by name. Raises: UsageError for a value that makes no sense."""
    seconds = duration("--deadline", deadline)
    configuration = run.configuration()
    from deploykit.deploy.request import DeployRequest

    names = known("service", services or (), configuration.services)
    if sha is not None and not sha.strip():
        raise UsageError("--sha names no commit", "leave it out to take HEAD")
    return DeployRequest(
        configuration=configuration,
        services=names,
        revision=sha,
        undo=not no_rollback,
        deadline=seconds,
        wait=duration("--wait", wait) if wait is not None else 0.0,
        reason=reason,
        command=run.command,
        again=run.invocation.continues or Command(run.command),
        **insisted,
    )


def shown(run: Run, report: RunReport) -> Result:
    """A run's report as a command's result."""
    from deploykit.report import json as documents
    from deploykit.report import summary

    lines = summary.of_run(report, run.command, run.style, run.seconds)
    return Result(report.exit_code, documents.run_part(report), lines)
