"""Undo a release that failed: restore what ran when it began, caches included, and judge that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from deploykit.deploy.prove import Baseline, Proven, judge_what_runs
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Run
from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import UndoRecord
from deploykit.model.release import typed
from deploykit.targets.cdn.plan import needed
from deploykit.targets.cdn.release import invalidate
from deploykit.targets.ecs.release import RolledOut
from deploykit.targets.ecs.restore import restore
from deploykit.targets.migration.crossing import carried, stopping


@dataclass(frozen=True)
class Undone:
    """What an undo came to. ``restored`` None: nothing had to be, or it was not asked for.

    ``after``: what runs now, judged. ``forbidden_by``: services whose migration forbids that it is undone by itself.
    """

    restored: bool | None = None
    after: Proven = field(default_factory=Proven)
    forbidden_by: tuple[str, ...] = ()
    found: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.found, *self.after.refused)


def undo(
    run: Run, rolled: RolledOut, proven: Proven, before: Baseline, *, wanted: bool, services_only: bool = False
) -> Undone:
    """Undo what failed, unless nothing did, somebody else has taken it over, or it is not ``wanted``.

    ``services_only``: neither caches nor a verdict are this command's (the step ``rollout``).
    """
    if (rolled.complete and not proven.unhealthy) or rolled.superseded:
        return Undone()
    restoring = before is not None
    if not run.journal.touched:  # a good migration is all that was done: what does it do to what runs?
        return Undone(after=Proven() if services_only else judge_what_runs(run, before, restoring=restoring))
    if not wanted:
        return Undone()
    if forbidden := stopping(run.configuration, carried(run.journal.entry)):
        return Undone(forbidden_by=tuple(forbidden), found=(_forbidden(forbidden),))
    _record(run, rolled, proven)
    # an undo gets a rollout's time of its own: it must not fail because the release took long or had little
    seconds = max(run.deadline.seconds, run.configuration.rollout.deadline)
    run = replace(run, deadline=Deadline(run.world.clock, seconds))
    found: list[Finding] = []
    after, complete = Proven(), False
    try:
        with run.steps.step("undo"):
            restored = restore(run, rolled)
            found += [_not_restored(error, key) for key, error in restored.refused.items()]
            if not services_only:
                # what had tasks that could answer may have filled a cache
                found += invalidate(run, needed(run.configuration.cdn, rolled.served), "undo").findings
                after = judge_what_runs(run, before, restoring=restoring)
            complete = restored.complete
    except DeploykitError as error:
        found.append(_not_restored(error))
    run.steps.mark(*(("rollout", "undone") if complete else ("undo", "failed")))
    return Undone(complete, after, found=tuple(found))


def _record(run: Run, rolled: RolledOut, proven: Proven) -> None:
    """Write down that the release failed, and why, before anything of it is undone: the next run continues there."""
    journal = run.journal
    journal.undoing(_continues(run, rolled))
    if rolled.undoing is None:
        why = rolled.why if proven.judgement is None else f"the release is unhealthy: {proven.judgement.reason}"
        journal.note(
            undo=UndoRecord(why, tuple(sorted(rolled.served))),
            services=journal.tried,
            findings=tuple(dict.fromkeys((*rolled.findings, *proven.findings))),
            checks=proven.judgement.endpoints if proven.judgement else {},
        )
    journal.save()


def _continues(run: Run, rolled: RolledOut) -> Hint:
    """What to type where the undo is interrupted: back by name, with no other service, as what was released is bad."""
    before = run.plan.previous_sha
    if before is None:
        return Hint(run.again, " begins anew")
    some = sorted(rolled.started) if set(rolled.started) < set(run.plan.observed) else []
    return Hint(command("rollback", *some, "--to", typed(before)), " continues restoring")


def _forbidden(services: list[str]) -> Finding:
    return Finding(
        "undo-held-by-migration",
        "warning",
        "high",
        "release",
        f"not undone by itself: the release carried a migration of {', '.join(services)}, "
        'and on_rollback = "stop" forbids it',
        hint=Hint(
            "fix it and deploy again; if the database fits the release before: ", command("rollback", "--to", "SHA")
        ),
    )


def _not_restored(error: DeploykitError, service: str | None = None) -> Finding:
    said = f"service {service} could not be restored: {error.message}" if service else error.message
    return Finding("not-put-back", "error", "high", service or "release", said, hint=error.hint)
