"""The asking of a run: how the endpoints answer before it, and whether they prove what it brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploykit.judge.judge import Judgement
from deploykit.judge.site import Site
from deploykit.ledger.journal import Run
from deploykit.model.finding import Finding
from deploykit.model.plan import Plan
from deploykit.model.probe import Samples
from deploykit.model.release import Verdict
from deploykit.targets.cdn.plan import needed
from deploykit.targets.cdn.release import invalidate
from deploykit.targets.ecs.release import RolledOut

Baseline = Mapping[str, Samples] | None


@dataclass(frozen=True)
class Proven:
    """What the endpoints prove; ``judgement`` None: they were not asked. ``refused``: caches that stayed stale."""

    judgement: Judgement | None = None
    refused: tuple[Finding, ...] = ()

    @property
    def unhealthy(self) -> bool:
        return self.judgement is not None and self.judgement.verdict is Verdict.UNHEALTHY

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.refused, *(self.judgement.findings if self.judgement else ()))


def baseline(run: Run) -> Baseline:
    """How each endpoint answers before anything changes.

    A run that continues keeps what the first one wrote: what ran before the release began. None: none was taken.
    """
    journal = run.journal
    known = journal.entry.baseline
    if known is None and _begun(run.plan):
        run.world.progress.say("no baseline was taken before this release began; judging it by its expectations only")
    elif known is None:
        with run.steps.step("baseline"):
            known = Site(run.configuration, run.world).baseline()
        journal.note(baseline=known)
    return known


def prove(run: Run, rolled: RolledOut, before: Baseline) -> Proven:
    """The step ``check``: does what was rolled out answer as expected, with its commit, and no worse than before?"""
    if not rolled.complete:
        run.steps.skip("check")
        return Proven()
    with run.steps.step("check"):
        proven = judge_what_runs(run, before)
    if proven.unhealthy:
        run.steps.mark("check", "failed")
    return proven


def judge_what_runs(run: Run, before: Baseline, *, restoring: bool = False) -> Proven:
    """Judge what runs by now; ``restoring``: against being as healthy as the baseline. No baseline: absolutely.

    Where the edge alone keeps an old version, the caches before it are emptied once more.
    """
    site, running = Site(run.configuration, run.world), run.journal.running
    proof = site.proof(running, before, restoring=restoring)
    refused: dict[Finding, None] = {}
    while stale := proof.until_stale():
        behind = needed(run.configuration.cdn, site.kept_at_edge(stale, running))
        emptied = invalidate(run, behind, "stale")
        refused |= dict.fromkeys(emptied.findings)
        if behind and not emptied.error:
            proof.emptied()
    return Proven(proof.judgement, tuple(refused))


def _begun(plan: Plan) -> bool:
    """True where some of the release runs already: what answers now tells nothing of the time before it."""
    changes = plan.changes.items()
    return any(change.to and change.to.arn == plan.observed[key].definition.arn for key, change in changes)
