"""The last lines of a run: what runs now, what the checks saw, what was found, how it ended, what to type next."""

from __future__ import annotations

from collections.abc import Mapping

from deploykit.errors import ExitCode
from deploykit.model.hint import Hint, command
from deploykit.model.probe import EndpointClass, EndpointResult
from deploykit.model.release import Outcome, ReleasedService, short
from deploykit.model.report import RunReport
from deploykit.report import findings
from deploykit.report.json import plain
from deploykit.report.style import Style

_OUTCOME = {
    Outcome.DEPLOYED: "deployed",
    Outcome.UNCHANGED: "nothing to do: this release runs already",
    Outcome.ROLLED_BACK: "rolled back",
    Outcome.FAILED: "failed",
    Outcome.INCONCLUSIVE: "inconclusive: health could not be judged",
    Outcome.REFUSED: "refused",
    Outcome.INTERRUPTED: "interrupted",
}
_NEXT: dict[int, str] = {  # where the run itself names nothing to type next
    ExitCode.UNHEALTHY: Hint(command("rollback"), " goes back to the last verified release"),
    ExitCode.INCONCLUSIVE: Hint(command("check"), " looks again; ", command("rollback"), " goes back"),
}
_ROLLED_BACK = "failed and rolled back: what runs is as healthy as before"
_NOT_FINE = (EndpointClass.REGRESSION, EndpointClass.PRE_EXISTING, EndpointClass.FLAKY)
_MOST_FAILURES = 3


def of_run(report: RunReport, verb: str, style: Style, seconds: float) -> list[str]:
    """What people read last: short lines, which suit a narrow terminal, and the most important one at the end.

    ``seconds``: how long the whole run took. Its steps do not add up to that, because an undo has its own.
    """
    lines = [""]
    lines += _services(report.services, style)
    lines += _checks(report.checks, style)
    lines += findings.lines_of(report.findings, style)
    lines += [f"  {line}" for line in findings.of_way_back(plain(report.way_back), style)]
    if len(lines) > 1:
        lines.append("")
    hint = report.hint or _NEXT.get(report.exit_code, "")
    ending = _ending(report, verb, style, seconds)
    if report.exit_code == ExitCode.INTERRUPTED and hint:
        return [*lines, Hint(ending, "; ", hint)]  # one last line: what was left and which command continues
    lines.append(ending)
    if hint:
        lines.append(Hint("  → ", hint))
    return lines


def _ending(report: RunReport, verb: str, style: Style, seconds: float) -> str:
    said = report.message or (_ROLLED_BACK if report.exit_code == ExitCode.ROLLED_BACK else _OUTCOME[report.outcome])
    if not report.message and report.release.verdict is not None and report.exit_code == ExitCode.OK:
        said += f", {report.release.verdict.value}"
    took = f" ({spoken(seconds)})" if seconds >= 1 else ""
    paints = {ExitCode.OK: style.good, ExitCode.ROLLED_BACK: style.warn, ExitCode.INCONCLUSIVE: style.warn}
    return Hint(f"{paints.get(ExitCode(report.exit_code), style.bad)(verb)}: ", said, took)


def _services(services: Mapping[str, ReleasedService], style: Style) -> list[str]:
    width = max((len(name) for name in services), default=0)
    lines = []
    for name, service in services.items():
        commit = short(service.sha) if service.sha else "unknown commit"
        revision = service.task_definition.rpartition("/")[2]
        mark = style.good("changed") if service.changed else style.dim("kept")
        lines.append(f"  {name.ljust(width)}  {commit}  {style.dim(revision)}  {mark}")
    return lines


def _checks(checks: Mapping[str, EndpointResult], style: Style) -> list[str]:
    if not checks:
        return []
    fine = [name for name, result in checks.items() if result.kind is not None and result.kind not in _NOT_FINE]
    lines = [f"  checks: {len(fine)} of {len(checks)} endpoints as expected"]
    width = max(len(name) for name in checks)
    for name, result in checks.items():
        if name in fine and result.kind is not EndpointClass.FIXED:
            continue
        fixed, worse = result.kind is EndpointClass.FIXED, result.kind is EndpointClass.REGRESSION
        word = (style.good if fixed else style.bad if worse else style.warn)(
            result.kind.value if result.kind is not None else "not judged"
        )
        lines.append(f"  {name.ljust(width)}  {word}  {result.after.failed} of {result.after.samples} requests failed")
        lines += [f"    {failure.message}" for failure in result.after.failures[:_MOST_FAILURES]]
    return lines


def spoken(seconds: float) -> str:
    """``95`` → ``1 min 35 s``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"
