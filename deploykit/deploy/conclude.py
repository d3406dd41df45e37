"""From what happened to an outcome, an exit code and the last line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploykit.deploy.judging.judge import Judgement
from deploykit.errors import ExitCode
from deploykit.model.finding import Finding
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, Verdict, short, typed

_GO_BACK = "`deploykit rollback` goes back to the last verified release"
_OR_BACK = "; `deploykit rollback` goes back"
_LATER = {"not-put-back", "not-invalidated"}  # findings on what followed a failure, and so not why it failed


@dataclass(frozen=True)
class Happened:
    """What a run did, as far as its end depends on it."""

    plan: Plan
    rolled_out: bool
    superseded: Sequence[str]  # services that another rollout took over
    untouched: bool  # no rollout was begun: a migration is all that happened
    held: Sequence[str]  # services whose migration forbids an undo by itself
    left: str  # who runs what, in words
    again: str  # the command line that goes on with the same
    failed: Sequence[str]  # how each rollout that did not complete ended, in words
    trouble: str | None  # an error of AWS's on the way
    judgement: Judgement | None
    put_back: bool | None  # None: nothing had to be, or it was not asked for
    after_undo: Judgement | None
    findings: Sequence[Finding]

    @property
    def not_invalidated(self) -> bool:
        return any(finding.id == "not-invalidated" for finding in self.findings)


@dataclass(frozen=True)
class Ending:
    """How a run ends."""

    outcome: Outcome
    code: ExitCode
    verdict: Verdict | None
    message: str
    hint: str = ""


def conclude(run: Happened) -> Ending:
    """What the run comes to; the exit code says what the human does next."""
    if run.superseded:
        return _superseded(run)
    if run.plan.kind == "rollback":
        return _rollback(run)
    if not run.rolled_out:
        return _failed(run, _why(run))
    judgement = run.judgement
    if judgement is None:
        return _stepped(run)
    if judgement.verdict is Verdict.UNHEALTHY:
        return _failed(run, "the release is unhealthy: " + judgement.reason)
    if judgement.verdict is Verdict.INCONCLUSIVE or run.not_invalidated:
        reason = "a CDN could not be invalidated" if run.not_invalidated else judgement.reason
        return Ending(
            Outcome.INCONCLUSIVE,
            ExitCode.INCONCLUSIVE,
            Verdict.INCONCLUSIVE,
            f"rolled out, but not proven: {reason}",
            f"`{run.again}` again judges it once more{_OR_BACK}",
        )
    words = "released and healthy" if judgement.verdict is Verdict.HEALTHY else "released; no endpoints to check"
    return Ending(Outcome.DEPLOYED, ExitCode.OK, judgement.verdict, f"{_what(run)} {words}")


def without_way_back(hint: str) -> str:
    """``hint`` as it stands where a plain rollback would find nothing to go to, or not all that it needs."""
    named = "`deploykit history` lists the releases, `deploykit rollback --to SHA` goes to one you name"
    return hint.replace(_GO_BACK, named).replace(_OR_BACK, f"; {named}")


def _failed(run: Happened, why: str) -> Ending:
    if run.untouched:
        return _only_migrated(run, why)
    verdict = None if run.plan.kind == "step" else Verdict.UNHEALTHY
    if run.put_back is None:
        hint = _GO_BACK
        if run.held:
            before = typed(run.plan.previous_sha) if run.plan.previous_sha else "SHA"
            hint = f"mend it and deploy again; if the database fits {before}: `deploykit rollback --to {before}`"
            why = f"{why}; not undone, since the migration of {', '.join(run.held)} forbids it"
        return Ending(Outcome.FAILED, ExitCode.UNHEALTHY, verdict, f"{why}; left as it is ({run.left})", hint)
    after = run.after_undo.verdict if run.after_undo else Verdict.UNCHECKED
    if run.put_back and after in (Verdict.HEALTHY, Verdict.UNCHECKED):
        previous = f" to {short(run.plan.previous_sha)}" if run.plan.previous_sha else ""
        return Ending(
            Outcome.ROLLED_BACK,
            ExitCode.ROLLED_BACK,
            verdict,
            f"{why}; put back{previous}: what runs is as healthy as before",
        )
    left = f"not every service could be put back ({run.left})"
    reason = run.after_undo.reason if run.put_back and run.after_undo else left
    return Ending(
        Outcome.FAILED,
        ExitCode.UNHEALTHY,
        verdict,
        f"{why}; and what runs now is not healthy: {reason}",
        "`deploykit status` shows what runs; `deploykit rollback --to SHA` goes to a release you name",
    )


def _only_migrated(run: Happened, why: str) -> Ending:
    """The migration is done, and then nothing could be begun: there is nothing to put back."""
    after = run.after_undo.verdict if run.after_undo else Verdict.UNCHECKED
    if after in (Verdict.HEALTHY, Verdict.UNCHECKED):
        return Ending(
            Outcome.FAILED,
            ExitCode.ROLLED_BACK,
            None,
            f"{why}; the migration is done, no service was touched yet: what runs is as healthy as before",
            f"`{run.again}` goes on, and does not run the migration again",
        )
    reason = run.after_undo.reason if run.after_undo else ""
    return Ending(
        Outcome.FAILED,
        ExitCode.UNHEALTHY,
        None,
        f"{why}; no service was touched yet, but since the migration what runs is not healthy: {reason}",
        f"mend what stopped the rollout and `{run.again}`, or mend the database",
    )


def _rollback(run: Happened) -> Ending:
    if not run.rolled_out:
        return Ending(
            Outcome.FAILED,
            ExitCode.UNHEALTHY,
            Verdict.UNHEALTHY,
            f"the rollback failed: {_why(run)} ({run.left})",
            "`deploykit status` shows what runs; `deploykit rollback --to SHA` goes to a release you name",
        )
    verdict = run.judgement.verdict if run.judgement else Verdict.UNCHECKED
    reason = run.judgement.reason if run.judgement else ""
    code, words = {
        Verdict.HEALTHY: (ExitCode.OK, "healthy"),
        Verdict.UNCHECKED: (ExitCode.OK, "running; no endpoints to check"),
        Verdict.UNHEALTHY: (ExitCode.UNHEALTHY, f"not healthy: {reason}"),
    }.get(verdict or Verdict.INCONCLUSIVE, (ExitCode.INCONCLUSIVE, f"not proven: {reason}"))
    if code is ExitCode.OK and run.not_invalidated:
        code, words = ExitCode.INCONCLUSIVE, "running, but a CDN could not be invalidated"
    hint = {ExitCode.UNHEALTHY: _GO_BACK, ExitCode.INCONCLUSIVE: f"`deploykit check` looks again{_OR_BACK}"}
    return Ending(Outcome.ROLLED_BACK, code, verdict, f"{_what(run)} is back and {words}", hint.get(code, ""))


def _stepped(run: Happened) -> Ending:
    if run.not_invalidated:
        return Ending(
            Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE, None, "rolled out, but a CDN could not be invalidated"
        )
    return Ending(Outcome.DEPLOYED, ExitCode.OK, None, f"{_what(run)} rolled out; `deploykit check` looks at it")


def _superseded(run: Happened) -> Ending:
    taken = ", ".join(run.superseded)
    return Ending(
        Outcome.INTERRUPTED,
        ExitCode.INTERRUPTED,
        None,
        f"another rollout took over {taken} ({run.left}); nothing was undone, since it is theirs now",
        f"`deploykit status` shows what runs; `{run.again}` continues once it is over",
    )


def _why(run: Happened) -> str:
    """Why the rollout failed, in one clause: the cause where a task told it, else what ECS said, else the error."""
    causes = [finding.summary for finding in run.findings if finding.severity == "error" and finding.id not in _LATER]
    said = causes or list(run.failed) or ([run.trouble] if run.trouble else [])
    return said[0] if said else "the rollout failed"


def _what(run: Happened) -> str:
    return short(run.plan.sha) if run.plan.sha else "the release"
