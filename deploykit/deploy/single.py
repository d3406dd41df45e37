"""The runbook steps by themselves: build, push, invalidate."""

from __future__ import annotations

from deploykit.build.images import build_images, find_images
from deploykit.build.push import push_images
from deploykit.deploy.caches import empty
from deploykit.deploy.entries import new_entry, read_ledger
from deploykit.deploy.observe import observe, refuse_other_environments
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.plan import running_sha
from deploykit.deploy.record import Record, Steps
from deploykit.deploy.source import chosen_services, identify_clean
from deploykit.edges.clock import Deadline
from deploykit.edges.docker import find_docker
from deploykit.errors import ExitCode
from deploykit.model.plan import Plan
from deploykit.model.release import Outcome, ReleasedService, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.cdn import needed, refuse_beyond_limits


def build_only(order: DeployOrder, edges: Edges) -> RunReport:
    """Build the images that the registry lacks; they stay on this machine. Raises as ``build_images`` does."""
    steps = Steps(edges.clock, edges.progress)
    chosen = chosen_services(order.configuration, order.services)
    source = identify_clean(order, chosen)
    found = find_images(edges.aws, order.configuration, source.commit, chosen)
    missing = [key for key in chosen if found[key] is None]
    if missing:
        docker = find_docker(edges.environ)
        with steps.step("build"):
            build_images(
                docker,
                source.repository,
                order.configuration,
                source.commit,
                missing,
                edges.progress,
                environment=edges.environ,
                clock=edges.clock,
            )
    else:
        steps.skip("build")
    built = ", ".join(missing) or "nothing: the registry has every image"
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, source.commit.tag),
        steps=tuple(steps.taken),
        message=f"{source.commit.short}: built {built}",
        hint="`deploykit push` brings it to the registry" if missing else "",
    )


def push_only(order: DeployOrder, edges: Edges) -> RunReport:
    """Push what ``build`` made and the registry lacks. Raises as ``push_images`` does."""
    steps = Steps(edges.clock, edges.progress)
    chosen = chosen_services(order.configuration, order.services)
    source = identify_clean(order, chosen)
    found = find_images(edges.aws, order.configuration, source.commit, chosen)
    missing = [key for key in chosen if found[key] is None]
    images = {key: image for key, image in found.items() if image is not None}
    if missing:
        docker = find_docker(edges.environ)
        with steps.step("push"):
            images = push_images(
                docker,
                edges.aws,
                order.configuration,
                source.commit,
                chosen,
                edges.progress,
                found=found,
                environment=edges.environ,
            )
    else:
        steps.skip("push")
    pushed = ", ".join(missing) or "nothing: the registry has every image"
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, source.commit.tag),
        services={
            key: ReleasedService(key, source.commit.tag, image.reference, image.digest, "", None, changed=False)
            for key, image in images.items()
        },
        steps=tuple(steps.taken),
        message=f"{source.commit.short}: pushed {pushed}",
        hint="`deploykit rollout` brings it to ECS",
    )


def invalidate_only(order: DeployOrder, edges: Edges) -> RunReport:
    """Empty the caches behind the chosen services (by default all), whatever changed.

    Raises: FailedBefore, NotAllowed where CloudFront refuses: nothing that runs was touched.
    """
    configuration, steps = order.configuration, Steps(edges.clock, edges.progress)
    chosen = chosen_services(configuration, order.services)
    invalidations = needed(configuration.cdn, chosen)
    refuse_beyond_limits(invalidations)
    observed = observe(configuration, edges.aws)
    refuse_other_environments(configuration, observed, chosen)
    sha = running_sha(observed)
    ledger = read_ledger(configuration, edges.aws, edges.progress)
    release = ledger.new_id(edges.clock.now(), sha or "")
    plan = Plan("step", configuration.environment, release, sha, sha, observed, {}, {}, invalidations)
    record = Record(ledger.store, new_entry(plan, order.command, edges), edges.clock, edges.progress)
    outcome = Outcome.UNCHANGED
    if invalidations:
        record.open()
        outcome = Outcome.FAILED
        try:
            with steps.step("invalidate"):
                deadline = Deadline(edges.clock, order.deadline)
                empty(invalidations, "step", record, edges.aws, deadline, edges.progress)
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
