"""What the single runbook steps and the whole run share: the order, the report, the result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from deploykit.cli.options import known
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError
from deploykit.model.hint import Command
from deploykit.model.report import RunReport
from deploykit.report import json as documents
from deploykit.report import summary

if TYPE_CHECKING:
    from deploykit.deploy.request import DeployRequest


def deploy_order(run: Run, services: Sequence[str] | None, **insisted: Any) -> DeployRequest:
    """The order for the flow. Raises UsageError for a service that this environment does not have."""
    configuration = run.configuration()
    from deploykit.deploy.request import DeployRequest

    names = known("service", services or (), configuration.services)
    if insisted.get("revision") is not None and not insisted["revision"].strip():
        raise UsageError("--sha names no commit", "leave it out to take HEAD")
    again = run.invocation.continues or Command(run.command)
    return DeployRequest(configuration=configuration, services=names, command=run.command, again=again, **insisted)


def run_one(
    run: Run,
    step: Literal["build", "push", "migrate", "rollout", "invalidate"],
    services: Sequence[str] | None,
    **insisted: Any,
) -> Result:
    """Run one step by itself."""
    order = deploy_order(run, services, **insisted)
    from deploykit.commands import deploy as flow

    return shown(run, flow.run_step(step, order, run.world()))


def shown(run: Run, report: RunReport) -> Result:
    """A run's report as a command's result."""
    lines = summary.of_run(report, run.command, run.style, run.seconds)
    return Result(report.exit_code, documents.run_part(report), lines)
