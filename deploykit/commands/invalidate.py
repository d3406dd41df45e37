"""``deploykit invalidate``: one step of the runbook by itself."""

from __future__ import annotations

from deploykit.deploy.lease import lease_of
from deploykit.deploy.outcome import Ending
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.run import Prepared, close, run_of
from deploykit.deploy.source import chosen_services, refuse_other_environments
from deploykit.edges.world import World
from deploykit.errors import ExitCode
from deploykit.ledger.journal import Steps, new_entry
from deploykit.ledger.read import read_ledger
from deploykit.ledger.running import unfinished
from deploykit.ledger.stats import began
from deploykit.ledger.store import open_store
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import running_sha
from deploykit.model.plan import Plan, released_service
from deploykit.model.release import Outcome, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.cdn import release as cdn
from deploykit.targets.cdn.plan import needed, refuse_beyond_limits
from deploykit.targets.ecs.observe import observe

_CONTINUED = 900.0  # seconds in which the same command continues the invalidation that it began


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
    if not invalidations:
        steps.skip("invalidate")
        return RunReport(
            Outcome.UNCHANGED,
            ExitCode.OK,
            ReleaseSummary(None, sha, sha),
            {key: released_service(service) for key, service in observed.items()},
            steps=tuple(steps.taken),
            message="invalidated nothing: no CDN is behind these services",
        )
    store = open_store(configuration.state, world.aws, configuration.root)
    with lease_of(request, world, store, sha) as held:
        ledger = read_ledger(configuration, held.world.aws, world.progress)
        begun = unfinished(ledger.entries, request.command, sha or "", ())
        if begun and not _just_now(begun, world):
            begun = None
        release = begun.id if begun else ledger.new_id(world.clock.now(), sha or "")
        plan = Plan("step", configuration.environment, release, sha, sha, observed, {}, {}, invalidations)
        entry = held.noted(begun or new_entry(plan, request.command, world, asked=request.services))
        prepared = Prepared(
            configuration, plan, ledger, entry, request.again, request.deadline, resumes=begun is not None
        )
        with run_of(prepared, held, steps) as run:
            run.journal.open()
            emptied = cdn.invalidate(run, invalidations, "step")
            if emptied.error:
                raise emptied.error
            names = ", ".join(item.distribution for item in invalidations)
            return close(run, Ending(Outcome.DEPLOYED, ExitCode.OK, None, f"invalidated {names}"))


def _just_now(entry: LedgerEntry, world: World) -> bool:
    """True for a run of the last minutes: what was emptied before that may be stale again, and is emptied anew."""
    start = began(entry)
    return start is not None and (world.clock.now() - start).total_seconds() < _CONTINUED
