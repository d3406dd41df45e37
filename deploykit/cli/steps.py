"""What the single runbook steps and the whole run share: the request and the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploykit.cli.options import known
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError
from deploykit.model.hint import Command
from deploykit.model.report import RunReport
from deploykit.report import json as documents
from deploykit.report import summary

if TYPE_CHECKING:
    from deploykit.deploy.request import DeployRequest


def deploy_request(run: Run, services: Sequence[str] | None, **insisted: Any) -> DeployRequest:
    """What is asked for. Raises UsageError for a service that this environment does not have."""
    configuration = run.configuration()
    from deploykit.deploy.request import DeployRequest

    names = known("service", services or (), configuration.services)
    if insisted.get("revision") is not None and not insisted["revision"].strip():
        raise UsageError("--sha names no commit", "leave it out to take HEAD")
    again = run.invocation.continues or Command(run.command)
    return DeployRequest(configuration=configuration, services=names, command=run.command, again=again, **insisted)


def shown(run: Run, report: RunReport) -> Result:
    """A run's report as a command's result."""
    lines = summary.of_run(report, run.command, run.style, run.seconds)
    return Result(report.exit_code, documents.run_part(report), lines)
