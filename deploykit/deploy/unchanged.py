"""Nothing to do: said, proven by nothing being called, and left out of the ledger."""

from __future__ import annotations

from deploykit.deploy.entries import Ledger
from deploykit.deploy.record import Steps
from deploykit.errors import ExitCode
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, ReleaseSummary, Verdict, short
from deploykit.model.report import RunReport


def unchanged(plan: Plan, steps: Steps, ledger: Ledger) -> RunReport:
    """The report of a deploy that changes no service."""
    for name in ("rollout", "invalidate", "check"):
        steps.skip(name)
    entry = next((e for e in ledger.entries if e.kind == "deploy" and e.sha == plan.sha), None)
    verdict = entry.verdict if entry else _tagged(plan)
    commit = short(plan.sha) if plan.sha else "it"
    words = f"nothing to do: {commit} runs already"
    if any((step.name, step.status) == ("push", "done") for step in steps.taken):  # an image that no service runs
        words = f"{commit}: pushed what was missing; no service changes"
    return RunReport(
        outcome=Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(entry.id if entry else None, plan.sha, plan.previous_sha, verdict),
        services=plan.released(),
        steps=tuple(steps.taken),
        message=f"{words} (verdict: {verdict})" if verdict else words,
        hint="`deploykit check` looks at it; `deploykit rollback` goes back" if verdict == Verdict.UNHEALTHY else "",
    )


def _tagged(plan: Plan) -> Verdict | None:
    words = {service.definition.verdict for service in plan.observed.values() if service.definition.verdict}
    return Verdict(words.pop()) if len(words) == 1 and words <= set(Verdict) else None
