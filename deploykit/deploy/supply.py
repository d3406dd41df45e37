"""Every image that a release needs, in the registry: looked up, and built and pushed where it is missing.

Slow, and harming nobody, so it comes before anything changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from deploykit.build.content import refuse_secret_arguments
from deploykit.build.images import build_images, service_uri
from deploykit.build.push import push_images
from deploykit.build.sources import built_services
from deploykit.build.stock import Stock, find_stock, rebuild_tag, refuse_conflict
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.record import Steps
from deploykit.deploy.source import Source
from deploykit.edges.aws.ecr import retag
from deploykit.edges.docker import find_docker
from deploykit.model.observed import ObservedService
from deploykit.model.plan import Supply
from deploykit.model.release import Commit, Image


def take_stock(
    order: DeployOrder, edges: Edges, source: Source, chosen: Collection[str], observed: Mapping[str, ObservedService]
) -> dict[str, Stock]:
    """What the registry has of each chosen service's image.

    Raises: FailedBefore (a missing repository, secrets among the build arguments), NotAllowed.
    """
    refuse_secret_arguments(built_services(order.configuration, chosen))
    return find_stock(
        edges.aws, source.repository, order.configuration, source.commit, chosen, live_platforms(observed)
    )


def decide(
    order: DeployOrder, source: Source, stock: Mapping[str, Stock], observed: Mapping[str, ObservedService]
) -> dict[str, Supply]:
    """Build, reuse or keep, and why. Pure. Raises: FailedBefore (another image has the commit's tag)."""
    supplies = {}
    for key, item in stock.items():
        live = observed[key].digest if key in observed else None
        if item.image is not None and not order.rebuild and live == item.image.digest:
            supplies[key] = Supply("keep", item.image, item.named, "it runs this image already")
            continue
        refuse_conflict(item, source.commit)
        if item.image is not None and not order.rebuild:
            why = "the registry has this content" if item.key else "the registry has this commit"
            supplies[key] = Supply("reuse", item.image, item.named, why)
            continue
        service = order.configuration.services[item.owner]
        tag = _tag(source.commit, item, order.rebuild)
        why = "--rebuild" if order.rebuild else "its content is not in the registry"
        supplies[key] = Supply(
            "build", Image(service.repository, service_uri(order.configuration, service), tag, ""), True, why
        )
    return supplies


def bring(
    order: DeployOrder,
    edges: Edges,
    source: Source,
    stock: Mapping[str, Stock],
    supplies: Mapping[str, Supply],
    observed: Mapping[str, ObservedService],
    steps: Steps,
) -> dict[str, Supply]:
    """Build and push what is to be built; the supplies with their digests.

    Where nothing is, neither Docker nor the network to a registry is needed.
    Raises: FailedBefore (build, push), OutOfReach (Docker, registry, permission).
    """
    missing = [key for key, supply in supplies.items() if supply.action == "build"]
    if not missing:
        steps.skip("build")
        steps.skip("push")
        return dict(supplies)
    docker = find_docker(edges.environ)
    tags = {stock[key].owner: supplies[key].image.tag for key in missing}
    with steps.step("build"):
        built = build_images(
            docker,
            source.repository,
            order.configuration,
            source.commit,
            missing,
            edges.progress,
            platforms=live_platforms(observed),
            environment=edges.environ,
            clock=edges.clock,
            tags=tags,
            afresh=order.rebuild,
        )
    with steps.step("push"):
        images = push_images(
            docker,
            edges.aws,
            order.configuration,
            source.commit,
            missing,
            edges.progress,
            found={},
            built=built,
            environment=edges.environ,
            tags=tags,
        )
        for owner in dict.fromkeys(stock[key].owner for key in missing):
            item = next(stock[key] for key in missing if stock[key].owner == owner)
            if item.key is not None:
                number = item.rebuilds + 1
                content = rebuild_tag(item.key.tag, number) if order.rebuild else item.key.tag
                retag(edges.aws, next(images[key] for key in missing if stock[key].owner == owner), content)
    return {key: replace(s, image=images[key]) if key in images else s for key, s in supplies.items()}


def name_images(commit: Commit, supplies: Mapping[str, Supply], changed: Collection[str], edges: Edges) -> None:
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
            retag(edges.aws, supply.image, commit.tag)


def _tag(commit: Commit, item: Stock, rebuild: bool) -> str:
    return rebuild_tag(commit.tag, item.rebuilds + 1) if rebuild and item.named else commit.tag


def live_platforms(observed: Mapping[str, ObservedService]) -> dict[str, str]:
    """What the live task definitions run on, where they say so.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
    """
    names = {"X86_64": "linux/amd64", "ARM64": "linux/arm64"}
    platforms = {}
    for key, service in observed.items():
        runtime = service.definition.content.get("runtimePlatform") or {}
        system, architecture = runtime.get("operatingSystemFamily", "LINUX"), runtime.get("cpuArchitecture")
        if system == "LINUX" and architecture in names:
            platforms[key] = names[architecture]
    return platforms
