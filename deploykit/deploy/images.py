"""Every image that a release needs, in the registry: looked up, and built and pushed where it is missing.

That is slow and changes nothing that runs, so it comes before anything that does.
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
from deploykit.images.build import ImageToBuild, build_images
from deploykit.images.cache import layer_cache
from deploykit.images.content import refuse_secret_arguments
from deploykit.images.lookup import FoundImage, look_up_images, platform_of, warnings_of
from deploykit.images.push import push_images
from deploykit.images.sources import built_services, repository_uri
from deploykit.images.usable import refuse_differing, unusable
from deploykit.ledger.journal import Steps
from deploykit.model.observed import ObservedService
from deploykit.model.plan import PlannedImage
from deploykit.model.release import Commit, Image
from deploykit.targets.ecs.observe import observe_existing, with_newer


@dataclass(frozen=True)
class ReleaseImages:
    """A commit's images by service: what the registry has of each, and what becomes of it."""

    source: Source
    found: Mapping[str, FoundImage]
    planned: Mapping[str, PlannedImage]

    @property
    def to_build(self) -> dict[str, ImageToBuild]:
        """The images to build, by the service whose context they are made of."""
        return {
            self.found[key].owner: ImageToBuild(planned.image.tag, self.found[key].platform, self.found[key].key)
            for key, planned in self.planned.items()
            if planned.action == "build"
        }


def look(request: DeployRequest, world: World) -> ReleaseImages:
    """The images of the commit, for `build` and `push`. Raises: Refused, FailedBefore where one cannot be used."""
    chosen = chosen_services(request.configuration, request.services)
    source = identify_clean(request, chosen)
    observed = _what_runs(request, world, chosen)
    found = find_images_of(request, world, source, chosen, observed)
    for warning in warnings_of(found):
        world.progress.warn(warning)
    if refused := image_refusals(request, source.commit, found, observed):
        raise refused[0]
    return ReleaseImages(source, found, plan_images(request, source.commit, found, observed))


def _what_runs(request: DeployRequest, world: World, chosen: Collection[str]) -> Mapping[str, ObservedService]:
    """What runs tells the platform to build for. The first images are often built before there is a cluster."""
    try:
        observed = observe_existing(request.configuration, world.aws, chosen)
    except (NotAllowed, FailedBefore) as refusal:
        world.progress.warn(f"cannot tell which platform the services run on: {refusal.message}")
        return {}
    return with_newer(observed, world.aws, chosen, world.progress)


def find_images_of(
    request: DeployRequest,
    world: World,
    source: Source,
    chosen: Collection[str],
    observed: Mapping[str, ObservedService],
) -> dict[str, FoundImage]:
    """What the registry has of each chosen service's image. Raises: FailedBefore (a missing repository), NotAllowed."""
    live = {key: platform for key, service in observed.items() if (platform := platform_of(service.base))}
    running = {
        key: service.digest
        for key, service in observed.items()
        if service.digest and platform_of(service.definition) == platform_of(service.base)
    }
    return look_up_images(world.aws, source, request.configuration, chosen, live, running, rebuild=request.rebuild)


def image_refusals(
    request: DeployRequest, commit: Commit, images: Mapping[str, FoundImage], observed: Mapping[str, ObservedService]
) -> list[FailedBefore]:
    """What speaks against building, pushing or using these images, each thing once. Pure."""
    refused: list[FailedBefore] = []
    try:
        refuse_secret_arguments(built_services(request.configuration, images))
    except FailedBefore as refusal:
        refused.append(refusal)
    for key, found in images.items():
        refused += refuse_differing(found)
        if not _kept(request, found, observed.get(key)):
            refused += unusable(found, commit)
    return list({(refusal.message, refusal.hint): refusal for refusal in refused}.values())


def plan_images(
    request: DeployRequest, commit: Commit, images: Mapping[str, FoundImage], observed: Mapping[str, ObservedService]
) -> dict[str, PlannedImage]:
    """Build, reuse or keep, and why; services whose image cannot be used are left out. Pure."""
    planned = {}
    for key, found in images.items():
        if found.image is not None and _kept(request, found, observed.get(key)):
            planned[key] = PlannedImage("keep", found.image, found.named, "it runs this image already")
        elif any(unusable(found, commit)):
            continue
        elif found.image is not None and not request.rebuild:
            what = "commit's image" if found.image.tag == commit.tag else "content"
            planned[key] = PlannedImage("reuse", found.image, found.named, f"the registry has this {what}")
        else:
            service = request.configuration.services[found.owner]
            tag = found.commit_tag(commit, rebuild=request.rebuild)
            image = Image(service.repository, repository_uri(request.configuration, service.repository), tag, "")
            why = "--rebuild" if request.rebuild else "its content is not in the registry"
            planned[key] = PlannedImage("build", image, True, why)
    return planned


def bring_images(request: DeployRequest, world: World, images: ReleaseImages, steps: Steps) -> dict[str, PlannedImage]:
    """Build and push what is missing; the planned images with their digests.

    Where nothing is missing, neither Docker nor the registry is needed.
    Raises: FailedBefore (build, push), OutOfReach (Docker, registry, permission).
    """
    for warning in warnings_of(images.found):
        world.progress.warn(warning)
    if not images.to_build:
        steps.skip("build")
        steps.skip("push")
        return dict(images.planned)
    docker = find_docker(world.environ)
    with steps.step("build"):
        built = build_images_of(docker, request, world, images)
    with steps.step("push"):
        return push_images_of(docker, request, world, images, built)


def build_images_of(docker: Docker, request: DeployRequest, world: World, images: ReleaseImages) -> dict[str, str]:
    """Build what is missing → local image ids, by owning service. Raises as ``build_images`` does."""
    configuration = request.configuration
    with layer_cache(configuration, docker, world) as cache:
        return build_images(
            docker, images.source, configuration, images.to_build, world, afresh=request.rebuild, cache=cache
        )


def push_images_of(
    docker: Docker, request: DeployRequest, world: World, images: ReleaseImages, built: Mapping[str, str] | None = None
) -> dict[str, PlannedImage]:
    """Push what was missing and tag it with its content: the planned images with their digests.

    ``built``: the ids of ``build_images_of``; None: what an earlier ``deploykit build`` left on the engine is pushed.
    Raises as ``push_images`` does.
    """
    pushed = push_images(docker, world, request.configuration, images.to_build, built)
    of_owner = {found.owner: found for found in images.found.values()}
    for owner, image in pushed.items():
        if (content := of_owner[owner].content_tag(rebuild=request.rebuild)) is not None:
            pushed[owner] = _tagged(image, content, owner, world)
    return {
        key: replace(planned, image=pushed[images.found[key].owner]) if planned.action == "build" else planned
        for key, planned in images.planned.items()
    }


def _tagged(image: Image, content: str, owner: str, world: World) -> Image:
    """``image``, now under the tag of its ``content``; or the image that another run has pushed as that content."""
    try:
        retag(world.aws, image, content)
    except TagTaken as taken:
        if taken.holder is None:
            raise
        words = f"another run has pushed the same content meanwhile: using {taken.holder.digest}"
        world.progress.warn(words, owner)
        return taken.holder
    return image


def name_images(commit: Commit, images: Mapping[str, PlannedImage], changed: Collection[str], world: World) -> None:
    """Give every image that a ``changed`` service starts to use the commit's tag as well.

    An image can have at most 1,000 tags, so images of unchanged services get none.
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
    """
    planned = [images[key] for key in changed if key in images]
    unnamed = [each.image for each in planned if not each.named and each.image.tag != commit.tag]
    for image in {(each.repository, each.digest): each for each in unnamed}.values():
        retag(world.aws, image, commit.tag)


def _kept(request: DeployRequest, found: FoundImage, observed: ObservedService | None) -> bool:
    running = observed.digest if observed else None
    return found.image is not None and not request.rebuild and running == found.image.digest
