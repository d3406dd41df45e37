"""The frame round every run that changes something: opened, interrupted, closed and reported in one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from deploykit.config.schema import Configuration
from deploykit.deploy.lease import Held
from deploykit.deploy.outcome import Course, Ending, conclude
from deploykit.deploy.prove import Baseline, Proven
from deploykit.deploy.undo import Undone, undo
from deploykit.deploy.way_back import with_way_back
from deploykit.edges.clock import Deadline
from deploykit.edges.world import World
from deploykit.errors import ExitCode, Interrupted, LeaseLost
from deploykit.ledger.journal import Journal, Run, Steps
from deploykit.ledger.read import Ledger
from deploykit.model.finding import Finding
from deploykit.model.hint import Command, Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan
from deploykit.model.probe import EndpointResult
from deploykit.model.release import Outcome, ReleaseSummary, Verdict, short
from deploykit.model.report import RunReport
from deploykit.preflight.waits import too_late
from deploykit.targets.cdn.release import Emptied
from deploykit.targets.ecs.release import RolledOut, taken_up
from deploykit.targets.ecs.verdict_tags import write_verdicts
from deploykit.targets.migration.release import Migrated

_THEIRS = Hint("nothing more was changed; ", command("lock", "show"), " shows who holds the deploy lock")


@dataclass(frozen=True)
class Prepared:
    """All that a run needs to begin. ``seconds`` is what it has for everything; ``again`` continues with the same.

    ``resumes``: ``entry`` is another run's of the same release, which did not get to its end.
    """

    configuration: Configuration
    plan: Plan
    ledger: Ledger
    entry: LedgerEntry
    again: Command
    seconds: float
    resumes: bool = False


def _continuing(entry: LedgerEntry) -> str:
    """What the run does that continues the one of ``entry``, for people."""
    if entry.undo:
        return f"restoring what ran before release {entry.id}, which failed: {entry.undo.why}"
    what = "rollback" if entry.kind == "rollback" else "release"
    return f"continuing {what} {entry.id}, which was cut off or not judged"


@contextmanager
def run_of(prepared: Prepared, held: Held, steps: Steps) -> Iterator[Run]:
    """The run: its journal, steps and deadline; whatever happens inside, the ledger entry is closed and tells it.

    Raises: Interrupted, with what is known of the run, on Ctrl-C and its kind, and where the lease is lost.
    """
    plan, world, continues = prepared.plan, held.world, Hint(prepared.again, " continues")
    if held.lease:
        held.lease.names(plan.release)
    journal = Journal(prepared.ledger.store, prepared.entry, plan, held.outlasting, continues, resumes=prepared.resumes)
    if prepared.resumes:
        world.progress.say(_continuing(prepared.entry))
    deadline = Deadline(world.clock, prepared.seconds + plan.patience)
    outcome = Outcome.FAILED
    try:
        earlier, again = prepared.ledger.entries, prepared.again
        confirm = held.lease.confirm if held.lease else lambda: None
        yield Run(plan, prepared.configuration, world, journal, steps, deadline, earlier, again, confirm)
    except KeyboardInterrupt as interrupt:
        outcome = Outcome.INTERRUPTED
        lost = f": {interrupt}" if isinstance(interrupt, LeaseLost) else ""
        theirs = isinstance(interrupt, LeaseLost) and interrupt.taken
        raise Interrupted(
            f"interrupted{lost}; {journal.describe()}",
            Hint(_THEIRS if theirs else journal.continues, "; ", command("status"), " shows what runs"),
            RunReport(
                outcome=outcome,
                exit_code=ExitCode.INTERRUPTED,
                release=ReleaseSummary(plan.release, plan.sha, plan.previous_sha),
                services=journal.running,
                steps=tuple(steps.taken),
            ),
        ) from interrupt
    finally:
        if not journal.written:
            journal.close(outcome=outcome, steps=tuple(steps.taken))
            journal.save()


def begin(run: Run) -> None:
    """Open the ledger entry: from now on something may change. Raises: FailedBefore where there is no time for it."""
    run.journal.open()
    if late := too_late(run.deadline.left, run.deadline.seconds, run.plan.least_seconds):
        raise late


def finish(
    run: Run,
    migrated: Migrated,
    rolled: RolledOut | None = None,
    emptied: Emptied | None = None,
    proven: Proven | None = None,
    undone: Undone | None = None,
) -> RunReport:
    """Conclude from what the phases came to, write the verdict down, as tags and in the ledger, and report.

    The run's own entry is written last: while it has no end, the next run does all of this again.

    What is left out was not begun, because a phase before it failed, or is not this command's.
    """
    journal = run.journal
    if rolled and rolled.superseded:
        run.confirm()  # or it says who took over
    course = Course(
        run.plan,
        migrated,
        rolled or RolledOut(False),
        emptied or Emptied(),
        proven or Proven(),
        undone or Undone(),
        journal.describe(),
        run.again,
    )
    ending = conclude(course)
    results = journal.entry.checks if course.rolled.undoing else course.results
    report = _report(run, ending, results, course.findings)
    write_verdicts(run, course.rolled, ending.verdict)
    journal.save()
    entries = [journal.entry, *run.entries]
    return with_way_back(report, run.configuration, run.world, entries, offered=ending.rollback)


def finish_undo(run: Run, before: Baseline, *, services_only: bool = False) -> RunReport:
    """Continue the undo that an earlier run of this release began, and finish as that one would have."""
    rolled = taken_up(run)
    undone = undo(run, rolled, Proven(), before, wanted=True, services_only=services_only)
    return finish(run, Migrated(), rolled, undone=undone)


def nothing_to_do(plan: Plan, configuration: Configuration, world: World, steps: Steps, ledger: Ledger) -> RunReport:
    """The report of a deploy that changes nothing, with the way back: no run is begun."""
    report = unchanged(plan, steps, ledger)
    bad = report.release.verdict is Verdict.UNHEALTHY
    return with_way_back(report, configuration, world, ledger.entries, offered=bad)


def unchanged(plan: Plan, steps: Steps, ledger: Ledger) -> RunReport:
    """The report of a plan that changes no service: it leaves no ledger entry, and nothing is called."""
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
        hint=Hint(command("check"), " looks at it") if verdict == Verdict.UNHEALTHY else "",
    )


def close(
    run: Run, ending: Ending, results: Mapping[str, EndpointResult] | None = None, findings: tuple[Finding, ...] = ()
) -> RunReport:
    """Close the ledger entry with ``ending``, and report it; the way back is not looked at."""
    report = _report(run, ending, results or {}, findings)
    run.journal.save()
    return report


def _report(
    run: Run, ending: Ending, results: Mapping[str, EndpointResult], findings: tuple[Finding, ...]
) -> RunReport:
    plan, steps = run.plan, tuple(run.steps.taken)
    run.journal.close(verdict=ending.verdict, outcome=ending.outcome, checks=results, findings=findings, steps=steps)
    return RunReport(
        outcome=ending.outcome,
        exit_code=ending.code,
        release=ReleaseSummary(plan.release, plan.sha, plan.previous_sha, ending.verdict),
        services=run.journal.running,
        checks=results,
        findings=findings,
        steps=steps,
        message=ending.message,
        hint=ending.hint,
    )


def _tagged(plan: Plan) -> Verdict | None:
    words = {service.definition.verdict for service in plan.observed.values() if service.definition.verdict}
    return Verdict(words.pop()) if len(words) == 1 and words <= set(Verdict) else None
