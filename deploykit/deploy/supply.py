"""Build and push what the registry lacks: slow, and harming nobody, so it comes before anything changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from deploykit.build.images import build_images, find_images
from deploykit.build.push import push_images
from deploykit.deploy.orders import DeployOrder, Edges
from deploykit.deploy.record import Steps
from deploykit.deploy.source import Source
from deploykit.edges.docker import find_docker
from deploykit.model.observed import ObservedService
from deploykit.model.release import Image


def supply(
    order: DeployOrder,
    edges: Edges,
    source: Source,
    chosen: Collection[str],
    observed: Mapping[str, ObservedService],
    steps: Steps,
) -> tuple[dict[str, Image], bool]:
    """Every chosen service's image in the registry, and whether any had to be brought there.

    An image already under the commit's tag is used as it is, and then neither Docker nor the network to a registry
    is needed. Raises: FailedBefore (build, push, missing repository), OutOfReach (Docker, registry, permission).
    """
    configuration = order.configuration
    found = find_images(edges.aws, configuration, source.commit, chosen)
    missing = [key for key in chosen if found[key] is None]
    if not missing:
        steps.skip("build")
        steps.skip("push")
        return {key: image for key, image in found.items() if image is not None}, False
    docker = find_docker(edges.environ)
    with steps.step("build"):
        built = build_images(
            docker,
            source.repository,
            configuration,
            source.commit,
            missing,
            edges.progress,
            platforms=_platforms(observed),
            environment=edges.environ,
            clock=edges.clock,
        )
    with steps.step("push"):
        images = push_images(
            docker,
            edges.aws,
            configuration,
            source.commit,
            chosen,
            edges.progress,
            found=found,
            built=built,
            environment=edges.environ,
        )
    return images, True


def _platforms(observed: Mapping[str, ObservedService]) -> dict[str, str]:
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
