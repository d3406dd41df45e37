"""The step `push`: images into ECR, with proof that ECR has what was built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from deploykit.config.schema import Configuration, Service
from deploykit.edges.aws import ecr
from deploykit.edges.docker import Docker, inspect_image, same_platform
from deploykit.edges.parallel import together
from deploykit.edges.process import Children
from deploykit.edges.world import World
from deploykit.errors import FailedBefore
from deploykit.images.build import CONTENT_LABEL, ImageToBuild
from deploykit.images.content import ContentKey
from deploykit.images.credentials import logged_in
from deploykit.images.failures import push_failed
from deploykit.images.sources import repository_uri
from deploykit.model.hint import Hint, command
from deploykit.model.release import Image, typed

_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64}) size: \d+")
_LAYER = re.compile(r"([0-9a-f]{12}): (.+)")
_TAKEN = re.compile(r"\btag\b.*(immutable|already exists)", re.IGNORECASE)
_THERE = ("Pushed", "Layer already exists", "Mounted from")


def push_images(
    docker: Docker,
    world: World,
    configuration: Configuration,
    wanted: Mapping[str, ImageToBuild],
    built: Mapping[str, str] | None = None,
) -> dict[str, Image]:
    """Push ``wanted`` (by the service whose context it is), all at once → what ECR has of each now.

    ``built`` gives the ids of ``build_images``; without it, the images that an earlier ``deploykit build`` left on the
    engine are pushed, if they were made of the same content. Where another run has pushed the same commit meanwhile,
    its image is used, with a warning.
    Raises: FailedBefore (no such image or repository; another image in ECR than pushed), OutOfReach.
    """
    if not wanted:
        return {}
    owners = {key: configuration.services[key] for key in wanted}
    uris = {key: repository_uri(configuration, service.repository) for key, service in owners.items()}
    ids = built or {key: _left_here(docker, key, uris[key], want, world.environ) for key, want in wanted.items()}
    host = next(iter(uris.values())).partition("/")[0]
    with logged_in(ecr.login(world.aws), host, world.environ) as environment:
        pusher = _Pusher(docker, world, environment)
        work = {
            key: partial(pusher.push, key, owners[key], uris[key], want.tag, ids[key]) for key, want in wanted.items()
        }
        return together(work, pusher.children)


def _left_here(docker: Docker, key: str, uri: str, want: ImageToBuild, environment: Mapping[str, str]) -> str:
    """The id of the image that ``deploykit build`` left on the engine. Raises: FailedBefore (none, or another one)."""
    reference = f"{uri}:{want.tag}"
    image = inspect_image(docker, reference, environment)
    if image is None:
        wrong = f"there is nothing to push: neither ECR nor this machine has {reference}"
    elif image.labels.get(CONTENT_LABEL) != want.labels.get(CONTENT_LABEL):
        theirs = ContentKey.of_tag(image.labels.get(CONTENT_LABEL, ""))
        differs = ", ".join(want.content.differs_from(theirs)) if want.content and theirs else "unknown"
        wrong = f"{reference} on this machine was made of something else; what differs: {differs}"
    elif want.platform and not same_platform(want.platform, image.platform):
        wrong = f"{reference} on this machine runs on {image.platform}, but {want.platform} is needed"
    else:
        return image.id
    raise FailedBefore(f"{key}: {wrong}", Hint("run ", command("build", key, *_as_asked(reference)), " first"))


def _as_asked(reference: str) -> tuple[str, ...]:
    """The options with which ``build`` makes the image of this tag, whatever is checked out by now."""
    sha, _, more = reference.rpartition(":")[2].partition("-")
    if more.startswith("dirty"):
        return ("--allow-dirty",)
    return ("--sha", typed(sha), *(["--rebuild"] if more else []))


@dataclass(frozen=True)
class _Pusher:
    """What the pushes of one step share."""

    docker: Docker
    world: World
    environment: Mapping[str, str]
    children: Children = field(default_factory=Children)

    def push(self, key: str, service: Service, uri: str, tag: str, local_id: str) -> Image:
        reference = f"{uri}:{tag}"
        argv = [self.docker.program, "push", reference]
        self.world.progress.command(argv)
        layers: dict[str, bool] = {}
        done = self.children.follow(argv, partial(self._live, key, layers), env=self.environment)
        if done.code:
            return self._after_failure(key, service, uri, tag, done.code, done.output)
        there = ecr.find_images(self.world.aws, service.repository, [tag], uri).get(tag)
        reported = _PUSHED.search(done.output)
        digest = reported[1] if reported else "no digest"
        if there is None or there.digest != digest:
            shown = there.digest if there else "no image"
            raise FailedBefore(
                f"{key}: the push of {reference} reported {digest}, but ECR has {shown}",
                "another run may have pushed the same tag just now: run the command again",
            )
        # The id is the config's digest; with the containerd image store it is the manifest's.
        if local_id not in (there.config_digest, there.digest):
            raise FailedBefore(
                f"{key}: ECR has {there.config_digest} under {reference}, but {local_id} was built",
                Hint("the tag was moved between build and push: run ", command("deploy"), " again"),
            )
        self.world.progress.say(f"pushed {uri}@{digest}", key)
        return there

    def _after_failure(self, key: str, service: Service, uri: str, tag: str, code: int, output: str) -> Image:
        """Where tags are immutable, ECR refuses one that exists: another run has pushed this commit meanwhile."""
        refused = _TAKEN.search(output)
        theirs = ecr.find_images(self.world.aws, service.repository, [tag], uri).get(tag) if refused else None
        if theirs is not None:
            self.world.progress.warn(f"{uri}:{tag} was pushed by another run meanwhile: using {theirs.digest}", key)
            return theirs
        for line in output.splitlines():
            self.world.progress.say(line, key)
        raise push_failed(key, uri, service.repository, self.world.aws.region, code, output)

    def _live(self, key: str, layers: dict[str, bool], line: str) -> None:
        if layer := _LAYER.match(line):
            layers[layer[1]] = layer[2].startswith(_THERE)
            self.world.progress.live(key, f"pushing, {sum(layers.values())} of {len(layers)} layers done")
