"""The runbook step ``invalidate`` by itself."""

from __future__ import annotations

from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services
from deploykit.edges.clock import Deadline
from deploykit.edges.world import World
from deploykit.errors import ExitCode
from deploykit.ledger.entries import new_entry, read_ledger
from deploykit.ledger.journal import Record, Steps
from deploykit.model.observed import running_sha
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.cdn.plan import needed, refuse_beyond_limits
from deploykit.targets.cdn.release import empty
from deploykit.targets.ecs.observe import observe, refuse_other_environments


def invalidate_only(order: DeployRequest, world: World) -> RunReport:
    """Empty the caches behind the chosen services (by default all), whatever changed.

    Raises: FailedBefore, NotAllowed where CloudFront refuses: nothing that runs was touched.
    """
    configuration, steps = order.configuration, Steps(world.clock, world.progress)
    chosen = chosen_services(configuration, order.services)
    invalidations = needed(configuration.cdn, chosen)
    refuse_beyond_limits(invalidations)
    observed = observe(configuration, world.aws)
    refuse_other_environments(configuration, observed, chosen)
    sha = running_sha(observed)
    ledger = read_ledger(configuration, world.aws, world.progress)
    release = ledger.new_id(world.clock.now(), sha or "")
    plan = Plan("step", configuration.environment, release, sha, sha, observed, {}, {}, invalidations)
    record = Record(ledger.store, new_entry(plan, order.command, world), world.clock, world.progress)
    outcome = Outcome.UNCHANGED
    if invalidations:
        record.open()
        outcome = Outcome.FAILED
        try:
            with steps.step("invalidate"):
                deadline = Deadline(world.clock, order.deadline)
                empty(invalidations, "step", record, world.aws, deadline, world.progress)
            outcome = Outcome.DEPLOYED
        finally:
            record.close(outcome=outcome, steps=tuple(steps.taken))
    else:
        steps.skip("invalidate")
    emptied = ", ".join(item.distribution for item in invalidations) or "nothing: no CDN is behind these services"
    return RunReport(
        outcome=outcome,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(release if invalidations else None, sha, sha),
        services=plan.released(),
        steps=tuple(steps.taken),
        message=f"invalidated {emptied}",
    )
