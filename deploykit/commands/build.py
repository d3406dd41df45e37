"""The runbook steps ``build`` and ``push`` by themselves: what ``deploy`` would build and push, one after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from deploykit.deploy.images import build, decide, image_refusals, push, take_stock, to_build
from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services, identify_clean
from deploykit.edges.aws.session import NotAllowed
from deploykit.edges.docker import find_docker
from deploykit.edges.git import Source
from deploykit.edges.world import World
from deploykit.errors import ExitCode, FailedBefore
from deploykit.images.lookup import Stock, warnings_of
from deploykit.ledger.journal import Steps
from deploykit.model.hint import Hint
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Supply
from deploykit.model.release import Outcome, ReleasedService, ReleaseSummary
from deploykit.model.report import RunReport
from deploykit.targets.ecs.observe import observe_existing, with_newer


def build_only(order: DeployRequest, world: World) -> RunReport:
    """Build the images that the registry lacks; they stay on this machine.

    Raises: Refused (uncommitted), FailedBefore (an image that cannot be used, a build), OutOfReach.
    """
    steps, look = Steps(world.clock, world.progress), _look(order, world)
    missing = list(to_build(look.stock, look.supplies))
    if missing:
        docker = find_docker(world.environ)
        with steps.step("build"):
            build(docker, order, world, look.source, look.stock, look.supplies)
    else:
        steps.skip("build")
    commit = look.source.commit
    push_it = order.then("push", *(["--rebuild"] if order.rebuild else []))
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, commit.tag),
        steps=tuple(steps.taken),
        message=f"{commit.short}: built {', '.join(missing) or 'nothing: the registry has every image'}",
        hint=Hint(push_it, " brings it to the registry") if missing else "",
    )


def push_only(order: DeployRequest, world: World) -> RunReport:
    """Push what ``build`` made and the registry lacks. Raises as ``build_only`` does, and where nothing was built."""
    steps, look = Steps(world.clock, world.progress), _look(order, world)
    supplies, missing = look.supplies, list(to_build(look.stock, look.supplies))
    if missing:
        docker = find_docker(world.environ)
        with steps.step("push"):
            supplies = push(docker, order, world, look.stock, supplies)
    else:
        steps.skip("push")
    commit = look.source.commit
    return RunReport(
        outcome=Outcome.DEPLOYED if missing else Outcome.UNCHANGED,
        exit_code=ExitCode.OK,
        release=ReleaseSummary(None, commit.tag),
        services={
            key: ReleasedService(key, commit.tag, s.image.reference, s.image.digest, "", None, changed=False)
            for key, s in supplies.items()
        },
        steps=tuple(steps.taken),
        message=f"{commit.short}: pushed {', '.join(missing) or 'nothing: the registry has every image'}",
        hint=Hint(order.then("rollout"), " brings it to ECS"),
    )


@dataclass(frozen=True)
class _Look:
    source: Source
    stock: Mapping[str, Stock]
    supplies: Mapping[str, Supply]


def _look(order: DeployRequest, world: World) -> _Look:
    chosen = chosen_services(order.configuration, order.services)
    source = identify_clean(order, chosen)
    observed = _what_runs(order, world, chosen)
    stock = take_stock(order, world, source, chosen, observed)
    for warning in warnings_of(stock):
        world.progress.warn(warning)
    if refused := image_refusals(order, source, stock, observed):
        raise refused[0]
    return _Look(source, stock, decide(order, source, stock, observed))


def _what_runs(order: DeployRequest, world: World, chosen: Collection[str]) -> Mapping[str, ObservedService]:
    """What says for which platform to build. The first images are often built before there is a service to run them."""
    try:
        observed = observe_existing(order.configuration, world.aws, chosen)
    except (NotAllowed, FailedBefore) as refusal:  # often there is no cluster yet
        world.progress.warn(f"it is not known on what the services run: {refusal.message}")
        return {}
    return with_newer(observed, world.aws, chosen, world.progress)
