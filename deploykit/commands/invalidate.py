"""``deploykit invalidate``: one step of the runbook by itself."""

from __future__ import annotations

from deploykit.deploy.outcome import Ending
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.run import Prepared, close, run_of
from deploykit.deploy.source import chosen_services, refuse_other_environments
from deploykit.edges.world import World
from deploykit.errors import ExitCode
from deploykit.ledger.journal import Steps, new_entry
from deploykit.ledger.read import read_ledger
from deploykit.model.observed import running_sha
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.cdn import release as cdn
from deploykit.targets.cdn.plan import needed, refuse_beyond_limits
from deploykit.targets.ecs.observe import observe


def invalidate(request: DeployRequest, world: World) -> RunReport:
    """Empty the caches behind the chosen services (by default all), whatever changed.

    Raises: FailedBefore, NotAllowed where CloudFront refuses: nothing that runs was touched.
    """
    configuration, steps = request.configuration, Steps(world.clock, world.progress)
    chosen = chosen_services(configuration, request.services)
    invalidations = needed(configuration.cdn, chosen)
    refuse_beyond_limits(invalidations)
    observed = observe(configuration, world.aws)
    refuse_other_environments(configuration, observed, chosen)
    sha = running_sha(observed)
    ledger = read_ledger(configuration, world.aws, world.progress)
    release = ledger.new_id(world.clock.now(), sha or "")
    plan = Plan("step", configuration.environment, release, sha, sha, observed, {}, {}, invalidations)
    if not invalidations:
        steps.skip("invalidate")
        return RunReport(
            Outcome.UNCHANGED,
            ExitCode.OK,
            ReleaseSummary(None, sha, sha),
            plan.released(),
            steps=tuple(steps.taken),
            message="invalidated nothing: no CDN is behind these services",
        )
    entry = new_entry(plan, request.command, world)
    with run_of(Prepared(configuration, plan, ledger, entry, request.again, request.deadline), world, steps) as run:
        run.journal.open()
        emptied = cdn.invalidate(run, invalidations, "step")
        if emptied.error:
            raise emptied.error
        names = ", ".join(item.distribution for item in invalidations)
        return close(run, Ending(Outcome.DEPLOYED, ExitCode.OK, None, f"invalidated {names}"))
