"""Carry a plan out: the only writer. Sense, act, judge, put back where asked, and write down what happened."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from deploykit.config.schema import Configuration
from deploykit.deploy.caches import Purpose, empty
from deploykit.deploy.conclude import Ending, Happened, conclude
from deploykit.deploy.findings import held_by_migration, not_invalidated, not_put_back, nothing_runs
from deploykit.deploy.judging.judge import Judgement
from deploykit.deploy.judging.proof import Proof
from deploykit.deploy.migrating.across import carried, stopping
from deploykit.deploy.migrating.run import Migrating
from deploykit.deploy.orders import Edges
from deploykit.deploy.patience import too_late, waits
from deploykit.deploy.record import Record, Steps
from deploykit.deploy.rolling import Rolling
from deploykit.deploy.verdicts import write_verdicts
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError, ExitCode, Interrupted
from deploykit.model.finding import Finding
from deploykit.model.migration import PlannedMigration
from deploykit.model.plan import CdnInvalidation, Plan
from deploykit.model.probe import Samples
from deploykit.model.release import Outcome, ReleaseSummary, Verdict, typed
from deploykit.model.report import RunReport
from deploykit.targets.cdn import needed
from deploykit.targets.ecs.evidence import finding
from deploykit.targets.ecs.rollouts import Rollouts


@dataclass(frozen=True)
class Intent:
    """How far a command goes with a plan."""

    invalidate: bool = True
    check: bool = True
    migrate: bool = True
    undo: bool = True  # put back what fails
    baseline: bool = True  # False: judged absolutely (a rollback)
    deadline: float = 1800.0  # seconds
    again: str = "deploykit deploy"  # the command line that goes on with the same


@dataclass
class Execution:
    """One plan being carried out; the attributes are what is known so far."""

    plan: Plan
    intent: Intent
    configuration: Configuration
    edges: Edges
    record: Record
    steps: Steps
    migrations: Sequence[PlannedMigration] = ()
    deadline: Deadline = field(init=False)
    rolling: Rolling = field(init=False)
    proof: Proof = field(init=False)
    migrating: Migrating = field(init=False)
    held: Sequence[str] = ()  # services whose migration forbids an undo by itself
    baseline: Mapping[str, Samples] | None = None
    rolled_out: bool = False
    trouble: DeploykitError | None = None  # an error of AWS's on the way
    judgement: Judgement | None = None
    put_back: bool | None = None  # None: nothing had to be
    after_undo: Judgement | None = None
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deadline = Deadline(self.edges.clock, self.intent.deadline + self._patience())
        self.rolling = Rolling(self.edges.aws, self.plan, self._rollouts())
        self.proof = Proof(self.configuration, self.edges)
        self.migrating = Migrating(self.configuration, self.edges, self.record, self.rolling, self.migrations)

    def run(self) -> RunReport:
        """The whole way; whatever happens, the ledger entry is closed and tells it."""
        try:
            self._look_before()
            self._refuse_too_late()
            if not self.migrating.run(self.steps, self.deadline):
                self.findings.append(self.migrating.finding())
                return self._close(self.migrating.ending())
            self._roll_out()
            self._empty_caches()
            self._prove()
            self._undo_if_asked()
            return self._close(conclude(self._happened()))
        except KeyboardInterrupt as interrupt:
            self._leave(Outcome.INTERRUPTED)
            raise self._interrupted() from interrupt
        except BaseException:
            self._leave(Outcome.FAILED)
            raise

    def _look_before(self) -> None:
        if not (self.intent.check and self.intent.baseline):
            self.record.open()
            return
        known = self.record.entry.baseline
        if known is None and self._begun():
            self.edges.progress.say("nobody asked before this release began: it is judged by what is expected alone")
            self.record.note(services=self.plan.released())
        elif known is None:
            with self.steps.step("baseline"):
                known = self.proof.baseline()
            # a run that goes on keeps what the first one wrote: what ran before the release began
            self.record.note(baseline=known, services=self.plan.released())
        self.baseline = known
        self.record.open()

    def _begun(self) -> bool:
        """True where some of the release runs already: what answers now tells nothing of the time before it."""
        changes = self.plan.changes.items()
        return any(change.to and change.to.arn == self.plan.observed[key].definition.arn for key, change in changes)

    def _refuse_too_late(self) -> None:
        """Begin nothing that there is no time left for. Raises: FailedBefore."""
        least = waits(self.plan.observed, self.plan.order)
        if refusal := too_late(self.deadline.left, self.deadline.seconds, least):
            raise refusal

    def _roll_out(self) -> None:
        self.rolling.forward.deadline = self._rollout_deadline()  # from now: a migration has a timeout of its own
        try:
            with self.steps.step("rollout"):
                self.rolled_out = self.rolling.roll_out()
        except DeploykitError as error:
            if not self.rolling.touched and not self.migrating.touched:
                raise
            self.trouble = error
        if not self.rolled_out:
            self.steps.mark("rollout", "failed")
        for key, end in self.rolling.forward.ended.items():
            self.findings += [finding(key, end.failure, end.last_words)] if end.failure else []
            if end.good and end.desired == 0:
                self.findings.append(nothing_runs(key))

    def _empty_caches(self) -> None:
        if self.rolled_out and self.intent.invalidate and self.plan.invalidations:
            self._invalidate("release", self.plan.invalidations)
        else:
            self.steps.skip("invalidate")

    def _invalidate(self, purpose: Purpose, invalidations: Sequence[CdnInvalidation]) -> bool:
        if not invalidations:
            return True
        edges = self.edges
        try:
            with self.steps.step("invalidate"):
                empty(invalidations, purpose, self.record, edges.aws, self.deadline, edges.progress)
        except DeploykitError as error:
            edges.progress.warn(error.message)
            refused = not_invalidated(error)
            self.findings += [refused] if refused not in self.findings else []
            return False
        return True

    def _prove(self) -> None:
        if not self.rolled_out or not self.intent.check:
            self.steps.skip("check")
            return
        with self.steps.step("check"):
            self.judgement = self._judge(restoring=False)
        self.findings += self.judgement.findings
        if self.judgement.verdict is Verdict.UNHEALTHY:
            self.steps.mark("check", "failed")

    def _judge(self, *, restoring: bool) -> Judgement:
        def repair(services: Collection[str]) -> bool:
            behind = needed(self.configuration.cdn, services)
            return bool(behind) and self.intent.invalidate and self._invalidate("stale", behind)

        return self.proof.prove(self.rolling.running(), self.baseline, restoring=restoring, repair=repair)

    def _undo_if_asked(self) -> None:
        failed = not self.rolled_out or (self.judgement and self.judgement.verdict is Verdict.UNHEALTHY)
        if not failed or self.rolling.superseded:
            return
        if not self.rolling.touched:  # a good migration is all that was done: what does it do to what runs?
            if self.intent.check:
                self.after_undo = self._judge(restoring=self.baseline is not None)
            return
        if not self.intent.undo:
            return
        self.held = stopping(self.configuration, carried(self.record.entry))
        if self.held:
            self.findings.append(held_by_migration(self.held))
            return
        try:
            with self.steps.step("undo"):
                self._undo()
        except DeploykitError as error:
            self.put_back = False
            self.findings.append(not_put_back(error))
        if self.put_back:
            self.steps.mark("rollout", "undone")
        else:
            self.steps.mark("undo", "failed")

    def _undo(self) -> None:
        edges, crash_after = self.edges, self.configuration.rollout.crash_after
        # an undo gets a rollout's time of its own: it must not fail because the release took long or had little
        self.deadline = Deadline(edges.clock, max(self.intent.deadline, self.configuration.rollout.deadline))
        self.put_back = self.rolling.undo(self._rollout_deadline(), crash_after, edges.progress)
        refused = self.rolling.back.refused if self.rolling.back else {}
        self.findings += [not_put_back(error, key) for key, error in refused.items()]
        if self.intent.invalidate:
            # what had tasks that could answer may have filled a cache
            self._invalidate("undo", needed(self.configuration.cdn, self.rolling.served))
        if self.intent.check:
            self.after_undo = self._judge(restoring=self.baseline is not None)

    def _rollouts(self) -> Rollouts:
        return Rollouts(
            self.edges.aws, self._rollout_deadline(), self.configuration.rollout.crash_after, self.edges.progress
        )

    def _rollout_deadline(self) -> Deadline:
        given = self.configuration.rollout.deadline + self._patience()
        return Deadline(self.edges.clock, min(self.deadline.left, given))

    def _patience(self) -> float:
        """Seconds on top of every deadline: a rollback is not refused because ECS bakes for long, a deploy is."""
        return waits(self.plan.observed, self.plan.order) if self.plan.kind == "rollback" else 0.0

    def _happened(self) -> Happened:
        ends = self.rolling.forward.ended
        return Happened(
            plan=self.plan,
            rolled_out=self.rolled_out,
            superseded=self.rolling.superseded,
            untouched=not self.rolling.touched,
            held=self.held,
            left=self.rolling.left() or "nothing was changed",
            again=self.intent.again,
            failed=[f"{key} {end.stand}: {end.reason}" for key, end in ends.items() if not end.good],
            trouble=self.trouble.message if self.trouble else None,
            judgement=self.judgement,
            put_back=self.put_back,
            after_undo=self.after_undo,
            findings=self.findings,
        )

    def _close(self, ending: Ending) -> RunReport:
        """Write the verdict down, in the ledger and as tags, and report."""
        plan, verdict = self.plan, ending.verdict
        results = self.judgement.endpoints if self.judgement else self.after_undo.endpoints if self.after_undo else {}
        self.record.close(
            services=self.rolling.released(),
            verdict=verdict,
            outcome=ending.outcome,
            checks=results,
            findings=tuple(self.findings),
            steps=tuple(self.steps.taken),
        )
        write_verdicts(plan, self.rolling, verdict, self.record, self.edges)
        return RunReport(
            outcome=ending.outcome,
            exit_code=ending.code,
            release=ReleaseSummary(plan.release, plan.sha, plan.previous_sha, verdict),
            services=self.rolling.running(),
            checks=results,
            findings=tuple(self.findings),
            steps=tuple(self.steps.taken),
            message=ending.message,
            hint=ending.hint,
        )

    def _leave(self, outcome: Outcome) -> None:
        """The end of a run that does not get to its own: what was rolled out by then is written down."""
        self.record.close(outcome=outcome, services=self.rolling.released(), steps=tuple(self.steps.taken))

    def _interrupted(self) -> Interrupted:
        plan = self.plan
        report = RunReport(
            outcome=Outcome.INTERRUPTED,
            exit_code=ExitCode.INTERRUPTED,
            release=ReleaseSummary(plan.release, plan.sha, plan.previous_sha),
            services=self.rolling.running(),
            steps=tuple(self.steps.taken),
        )
        left = ", ".join(filter(None, (self.migrating.left(), self.rolling.left())))
        return Interrupted(
            f"interrupted; {left or 'nothing was changed'}",
            f"{self._goes_on()}; `deploykit status` shows what runs",
            report,
        )

    def _goes_on(self) -> str:
        back, before = self.rolling.back, self.plan.previous_sha
        if back is None:
            return f"`{self.intent.again}` continues"
        if before is None:
            return f"`{self.intent.again}` begins anew"
        # what was being undone is bad: going on means going back, by name and with no other service
        some = sorted(self.rolling.forward.begun) if set(self.rolling.forward.begun) < set(self.plan.observed) else []
        return f"`{' '.join(('deploykit rollback', *some, '--to', typed(before)))}` goes on putting back"
