"""From what the phases came to, to an outcome, an exit code and the last line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploykit.deploy.prove import Proven
from deploykit.deploy.undo import Undone
from deploykit.errors import ExitCode
from deploykit.model.finding import Finding
from deploykit.model.hint import Command, Hint, command
from deploykit.model.plan import Plan
from deploykit.model.probe import EndpointResult
from deploykit.model.release import Outcome, Verdict, short, typed
from deploykit.targets.cdn.release import Emptied
from deploykit.targets.ecs.release import RolledOut
from deploykit.targets.migration.release import Migrated, MigrationFailure

_SEE_OR_NAME = Hint(
    command("status"), " shows what runs; ", command("rollback", "--to", "SHA"), " goes to a release you name"
)


@dataclass(frozen=True)
class Course:
    """What each phase of a run came to. ``where``: who runs what, in words; ``again`` continues with the same."""

    plan: Plan
    migrated: Migrated
    rolled: RolledOut
    emptied: Emptied
    proven: Proven
    undone: Undone
    where: str
    again: Command

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, in the order of the phases, each once."""
        failure = self.migrated.failure
        phases = (self.rolled, self.emptied, self.proven, self.undone)
        found = [*([failure.finding] if failure else []), *(each for phase in phases for each in phase.findings)]
        return tuple(dict.fromkeys(found))

    @property
    def results(self) -> Mapping[str, EndpointResult]:
        """How each endpoint fared with the release, or else after it."""
        judged = self.proven.judgement or self.undone.after.judgement
        return judged.endpoints if judged else {}

    @property
    def not_invalidated(self) -> bool:
        return any(finding.id == "not-invalidated" for finding in self.findings)

    @property
    def what(self) -> str:
        return short(self.plan.sha) if self.plan.sha else "the release"


@dataclass(frozen=True)
class Ending:
    """How a run ends. ``rollback``: its hint also says how to go back, once it is known whether that is ready."""

    outcome: Outcome
    code: ExitCode
    verdict: Verdict | None
    message: str
    hint: str = ""
    rollback: bool = False


def conclude(course: Course) -> Ending:
    """What the run comes to; the exit code says what the human does next."""
    if course.migrated.failure:
        return migration_failed(course.migrated.failure)
    if course.rolled.superseded:
        return _superseded(course)
    if course.plan.kind == "rollback":
        return _rollback(course)
    if not course.rolled.complete:
        return _failed(course, course.rolled.why)
    judgement = course.proven.judgement
    if judgement is None:
        return _stepped(course)
    if judgement.verdict is Verdict.UNHEALTHY:
        return _failed(course, "the release is unhealthy: " + judgement.reason)
    if judgement.verdict is Verdict.INCONCLUSIVE or course.not_invalidated:
        reason = "a CDN could not be invalidated" if course.not_invalidated else judgement.reason
        return Ending(
            Outcome.INCONCLUSIVE,
            ExitCode.INCONCLUSIVE,
            Verdict.INCONCLUSIVE,
            f"rolled out, but not proven: {reason}",
            Hint(course.again, " again judges it once more"),
            rollback=True,
        )
    words = "released and healthy" if judgement.verdict is Verdict.HEALTHY else "released; no endpoints to check"
    return Ending(Outcome.DEPLOYED, ExitCode.OK, judgement.verdict, f"{course.what} {words}")


def migration_failed(failure: MigrationFailure) -> Ending:
    """How a run ends after a migration that failed."""
    message = f"{failure.summary}: {failure.end.reason}; no service was touched"
    return Ending(Outcome.FAILED, ExitCode.MIGRATION, None, message, failure.hint)


def _failed(course: Course, why: str) -> Ending:
    undone, previous = course.undone, course.plan.previous_sha
    if not course.rolled.started:
        return _only_migrated(course, why)
    verdict = None if course.plan.kind == "step" else Verdict.UNHEALTHY
    if undone.forbidden_by:
        back = command("rollback", "--to", typed(previous) if previous else "SHA")
        hint = Hint(f"fix it and deploy again; if the database fits {typed(previous) if previous else 'SHA'}: ", back)
        why = f"{why}; not undone, since the migration of {', '.join(undone.forbidden_by)} forbids it"
        return Ending(Outcome.FAILED, ExitCode.UNHEALTHY, verdict, f"{why}; left as it is ({course.where})", hint)
    if undone.restored is None:
        message = f"{why}; left as it is ({course.where})"
        return Ending(Outcome.FAILED, ExitCode.UNHEALTHY, verdict, message, rollback=True)
    if undone.restored and _as_healthy(undone):
        to = f" to {short(previous)}" if previous else ""
        message = f"{why}; restored{to}: what runs is as healthy as before"
        return Ending(Outcome.ROLLED_BACK, ExitCode.ROLLED_BACK, verdict, message)
    after = undone.after.judgement
    reason = after.reason if undone.restored and after else f"not every service could be restored ({course.where})"
    message = f"{why}; and what runs now is not healthy: {reason}"
    return Ending(Outcome.FAILED, ExitCode.UNHEALTHY, verdict, message, _SEE_OR_NAME)


def _only_migrated(course: Course, why: str) -> Ending:
    """The migration is done, and then nothing could be begun: there is nothing to restore."""
    if _as_healthy(course.undone):
        return Ending(
            Outcome.FAILED,
            ExitCode.ROLLED_BACK,
            None,
            f"{why}; the migration is done, no service was touched yet: what runs is as healthy as before",
            Hint(course.again, " continues, and does not run the migration again"),
        )
    after = course.undone.after.judgement
    return Ending(
        Outcome.FAILED,
        ExitCode.UNHEALTHY,
        None,
        f"{why}; no service was touched yet, but since the migration what runs is not healthy: "
        f"{after.reason if after else ''}",
        Hint("fix what stopped the rollout and ", course.again, ", or fix the database"),
    )


def _as_healthy(undone: Undone) -> bool:
    judged = undone.after.judgement
    return judged is None or judged.verdict in (Verdict.HEALTHY, Verdict.UNCHECKED)


def _rollback(course: Course) -> Ending:
    if not course.rolled.complete:
        message = f"the rollback failed: {course.rolled.why} ({course.where})"
        return Ending(Outcome.FAILED, ExitCode.UNHEALTHY, Verdict.UNHEALTHY, message, _SEE_OR_NAME)
    judgement = course.proven.judgement
    verdict = judgement.verdict if judgement else Verdict.UNCHECKED
    reason = judgement.reason if judgement else ""
    code, words = {
        Verdict.HEALTHY: (ExitCode.OK, "healthy"),
        Verdict.UNCHECKED: (ExitCode.OK, "running; no endpoints to check"),
        Verdict.UNHEALTHY: (ExitCode.UNHEALTHY, f"not healthy: {reason}"),
    }.get(verdict or Verdict.INCONCLUSIVE, (ExitCode.INCONCLUSIVE, f"not proven: {reason}"))
    if code is ExitCode.OK and course.not_invalidated:
        code, words = ExitCode.INCONCLUSIVE, "running, but a CDN could not be invalidated"
    hint = Hint(command("check"), " looks again") if code is ExitCode.INCONCLUSIVE else ""
    message = f"{course.what} is back and {words}"
    return Ending(Outcome.ROLLED_BACK, code, verdict, message, hint, rollback=code is not ExitCode.OK)


def _stepped(course: Course) -> Ending:
    if course.not_invalidated:
        return Ending(
            Outcome.INCONCLUSIVE, ExitCode.INCONCLUSIVE, None, "rolled out, but a CDN could not be invalidated"
        )
    message = Hint(f"{course.what} rolled out; ", command("check"), " looks at it")
    return Ending(Outcome.DEPLOYED, ExitCode.OK, None, message)


def _superseded(course: Course) -> Ending:
    taken = ", ".join(course.rolled.superseded)
    return Ending(
        Outcome.INTERRUPTED,
        ExitCode.INTERRUPTED,
        None,
        f"another rollout took over {taken} ({course.where}); nothing was undone, because it is theirs now",
        Hint(command("status"), " shows what runs; ", course.again, " continues once it is over"),
    )
