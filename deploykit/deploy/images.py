"""Every image that a release needs, in the registry: looked up, and built and pushed where it is missing.

Slow, and harming nobody, so it comes before anything changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from deploykit.deploy.request import DeployRequest
from deploykit.deploy.source import chosen_services, identify_clean
from deploykit.edges.aws.ecr import TagTaken, retag
from deploykit.edges.aws.session import NotAllowed
from deploykit.edges.docker import Docker, find_docker
from deploykit.edges.git import Source
from deploykit.edges.world import World
from deploykit.errors import FailedBefore
from deploykit.images.build import Wanted, build_images, service_uri
from deploykit.images.cache import layer_cache
from deploykit.images.content import refuse_secret_arguments
from deploykit.images.lookup import Stock, find_stock, warnings_of
from deploykit.images.platforms import platform_of
from deploykit.images.push import push_images
from deploykit.images.sources import built_services
from deploykit.images.usable import refuse_differing, unusable
from deploykit.ledger.journal import Steps
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Supply
from deploykit.model.release import Commit, Image
from deploykit.targets.ecs.observe import observe_existing, with_newer


def find_images_of(
    request: DeployRequest,
    world: World,
    source: Source,
    chosen: Collection[str],
    observed: Mapping[str, ObservedService],
) -> dict[str, Stock]:
    """What the registry has of each chosen service's image. Raises: FailedBefore (a missing repository), NotAllowed."""
    live = {key: platform for key, service in observed.items() if (platform := platform_of(service.base))}
    running = {
        key: service.digest
        for key, service in observed.items()
        if service.digest and platform_of(service.definition) == platform_of(service.base)
    }
    return find_stock(
        world.aws,
        source.repository,
        request.configuration,
        source.commit,
        chosen,
        live,
        running=running,
        rebuild=request.rebuild,
    )


@dataclass(frozen=True)
class WantedImages:
    """What a commit's images are, as far as they are there."""

    source: Source
    stock: Mapping[str, Stock]
    supplies: Mapping[str, Supply]


def look(request: DeployRequest, world: World) -> WantedImages:
    """The images of the commit, clean or asked for; what speaks against them is refused."""
    chosen = chosen_services(request.configuration, request.services)
    source = identify_clean(request, chosen)
    observed = _what_runs(request, world, chosen)
    stock = find_images_of(request, world, source, chosen, observed)
    for warning in warnings_of(stock):
        world.progress.warn(warning)
    if refused := image_refusals(request, source, stock, observed):
        raise refused[0]
    return WantedImages(source, stock, decide_images(request, source, stock, observed))


def _what_runs(request: DeployRequest, world: World, chosen: Collection[str]) -> Mapping[str, ObservedService]:
    """What says for which platform to build. The first images are often built before there is a service to run them."""
    try:
        observed = observe_existing(request.configuration, world.aws, chosen)
    except (NotAllowed, FailedBefore) as refusal:  # often there is no cluster yet
        world.progress.warn(f"cannot tell which platform the services run on: {refusal.message}")
        return {}
    return with_newer(observed, world.aws, chosen, world.progress)


def image_refusals(
    request: DeployRequest, source: Source, stock: Mapping[str, Stock], observed: Mapping[str, ObservedService]
) -> list[FailedBefore]:
    """What speaks against building, pushing or using these images. Pure."""
    found: list[FailedBefore] = []
    try:
        refuse_secret_arguments(built_services(request.configuration, stock))
    except FailedBefore as refusal:
        found.append(refusal)
    for key, item in stock.items():
        found += refuse_differing(item)
        if not _kept(request, item, observed.get(key)):
            found += _unusable(request, item, source.commit)
    return list({(refusal.message, refusal.hint): refusal for refusal in found}.values())


def decide_images(
    request: DeployRequest, source: Source, stock: Mapping[str, Stock], observed: Mapping[str, ObservedService]
) -> dict[str, Supply]:
    """Build, reuse or keep, and why; services whose image cannot be used are left out. Pure."""
    supplies = {}
    for key, item in stock.items():
        if item.image is not None and _kept(request, item, observed.get(key)):
            supplies[key] = Supply("keep", item.image, item.named, "it runs this image already")
            continue
        if _unusable(request, item, source.commit):
            continue
        if item.image is not None and not request.rebuild:
            by_commit = item.image.tag == source.commit.tag
            why = "the registry has this commit's image" if by_commit else "the registry has this content"
            supplies[key] = Supply("reuse", item.image, item.named, why)
            continue
        service = request.configuration.services[item.owner]
        tag = item.commit_tag(source.commit, rebuild=request.rebuild)
        why = "--rebuild" if request.rebuild else "its content is not in the registry"
        supplies[key] = Supply(
            "build", Image(service.repository, service_uri(request.configuration, service), tag, ""), True, why
        )
    return supplies


def bring_images(
    request: DeployRequest,
    world: World,
    source: Source,
    stock: Mapping[str, Stock],
    supplies: Mapping[str, Supply],
    steps: Steps,
) -> dict[str, Supply]:
    """Build and push what is to be built; the supplies with their digests.

    Where nothing is, neither Docker nor the network to a registry is needed.
    Raises: FailedBefore (build, push), OutOfReach (Docker, registry, permission).
    """
    for warning in warnings_of(stock):
        world.progress.warn(warning)
    if not to_build(stock, supplies):
        steps.skip("build")
        steps.skip("push")
        return dict(supplies)
    docker = find_docker(world.environ)
    with steps.step("build"):
        built = build_images_of(docker, request, world, source, stock, supplies)
    with steps.step("push"):
        return push_images_of(docker, request, world, stock, supplies, built)


def to_build(stock: Mapping[str, Stock], supplies: Mapping[str, Supply]) -> dict[str, Wanted]:
    """The images to be built, by the service whose context they are made of."""
    return {
        stock[key].owner: Wanted(supply.image.tag, stock[key].platform, stock[key].key)
        for key, supply in supplies.items()
        if supply.action == "build"
    }


def build_images_of(
    docker: Docker,
    request: DeployRequest,
    world: World,
    source: Source,
    stock: Mapping[str, Stock],
    supplies: Mapping[str, Supply],
) -> dict[str, str]:
    """Build what is to be built: local image ids, by owning service. Raises as ``build_images`` does."""
    with layer_cache(request.configuration, docker, world.aws, world.progress, world.environ) as cache:
        return build_images(
            docker,
            source.repository,
            request.configuration,
            source.commit,
            to_build(stock, supplies),
            world.progress,
            environment=world.environ,
            clock=world.clock,
            afresh=request.rebuild,
            cache=cache,
        )


def push_images_of(
    docker: Docker,
    request: DeployRequest,
    world: World,
    stock: Mapping[str, Stock],
    supplies: Mapping[str, Supply],
    built: Mapping[str, str] | None = None,
) -> dict[str, Supply]:
    """Push what is to be built, and tag it with its content: the supplies with their digests.

    ``built``: the ids of ``build``; without, what an earlier ``deploykit build`` left on the engine is taken.
    Raises as ``push_images`` does.
    """
    wanted = to_build(stock, supplies)
    images = push_images(
        docker, world.aws, request.configuration, wanted, world.progress, built=built, environment=world.environ
    )
    of_owner = {item.owner: item for item in stock.values()}
    for owner in wanted:
        if (content := of_owner[owner].content_tag(rebuild=request.rebuild)) is not None:
            images[owner] = _known_as(content, images[owner], owner, world)
    pushed = {key: images[stock[key].owner] for key, supply in supplies.items() if supply.action == "build"}
    return {key: replace(s, image=pushed[key]) if key in pushed else s for key, s in supplies.items()}


def _known_as(content: str, image: Image, owner: str, world: World) -> Image:
    """The image that the content means: ``image`` from now on, unless another run's push of the same was faster."""
    try:
        retag(world.aws, image, content)
    except TagTaken as taken:
        if taken.holder is None:
            raise
        words = f"the same content was pushed by another run meanwhile: using {taken.holder.digest}"
        world.progress.warn(words, owner)
        return taken.holder
    return image


def name_images(commit: Commit, supplies: Mapping[str, Supply], changed: Collection[str], world: World) -> None:
    """The commit's tag as one more on every image that a changed service starts to use.

    An image holds at most 1,000 tags, so those of services that stay as they are get none.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
    """
    named: set[tuple[str, str]] = set()
    for key in changed:
        supply = supplies.get(key)
        if supply is None or supply.named or supply.image.tag == commit.tag:
            continue
        place = (supply.image.repository, supply.image.digest)
        if place not in named:
            named.add(place)
            retag(world.aws, supply.image, commit.tag)


def _kept(request: DeployRequest, item: Stock, observed: ObservedService | None) -> bool:
    running = observed.digest if observed else None
    return item.image is not None and not request.rebuild and running == item.image.digest


def _unusable(request: DeployRequest, item: Stock, commit: Commit) -> list[FailedBefore]:
    return unusable(item, commit, request.configuration.services[item.owner].repository)
