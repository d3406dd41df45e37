"""The step `push`: images into ECR, and proof that what is there is what was built."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import partial

from deploykit.build.credentials import logged_in
from deploykit.build.failures import push_failed
from deploykit.build.images import service_uri
from deploykit.build.sources import built_services, image_owner
from deploykit.build.together import together
from deploykit.config.schema import Configuration, Service
from deploykit.edges.aws import ecr
from deploykit.edges.aws.session import Aws
from deploykit.edges.docker import Docker, inspect_image
from deploykit.edges.process import Children
from deploykit.errors import FailedBefore
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, Image

_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64}) size: \d+")
_LAYER = re.compile(r"([0-9a-f]{12}): (.+)")
_TAKEN = re.compile(r"\btag\b.*(immutable|already exists)", re.IGNORECASE)
_THERE = ("Pushed", "Layer already exists", "Mounted from")


def push_images(
    docker: Docker,
    aws: Aws,
    configuration: Configuration,
    commit: Commit,
    services: Iterable[str],
    progress: Progress,
    *,
    found: Mapping[str, Image | None],
    built: Mapping[str, str] | None = None,
    environment: Mapping[str, str] = os.environ,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Image]:
    """Push the images of ``services``, all at once → what ECR has of each now, shared images included.

    ``found`` is what ECR had before (``find_images``): used as it is, and not pushed. ``built`` gives the ids of
    ``build_images``; without it, what an earlier ``deploykit build`` left on the engine is taken. ``tags``: by owning
    service, where it is not the commit's.
    When somebody else's push of the same commit was faster, theirs is taken, and said so.
    Raises: FailedBefore (no such image or repository; another image in ECR than pushed), OutOfReach.
    """
    wanted = list(services)
    owners = built_services(configuration, wanted)
    images = {image_owner(configuration, key): image for key in wanted if (image := found.get(key)) is not None}
    named = {key: (tags or {}).get(key, commit.tag) for key in owners}
    references = {
        key: f"{service_uri(configuration, service)}:{named[key]}"
        for key, service in owners.items()
        if key not in images
    }
    ids = {key: (built or {}).get(key) or _local_id(docker, key, references[key], environment) for key in references}
    if references:
        login = ecr.login(aws)
        host = next(iter(references.values())).partition("/")[0]
        with logged_in(login, host, environment) as logged_in_environment:
            pusher = _Pusher(docker, aws, progress, logged_in_environment)
            work = {
                key: partial(pusher.push, key, owners[key], reference, named[key], ids[key])
                for key, reference in references.items()
            }
            images |= together(work, pusher.children)
    return {key: images[image_owner(configuration, key)] for key in wanted}


def _local_id(docker: Docker, key: str, reference: str, environment: Mapping[str, str]) -> str:
    image = inspect_image(docker, reference, environment)
    if image is None:
        raise FailedBefore(
            f"{key}: there is nothing to push: neither ECR nor this machine has {reference}",
            f"run `deploykit build {key} {_as_asked(reference)}` first",
        )
    return image.id


def _as_asked(reference: str) -> str:
    """The option with which ``build`` makes the image of this tag, whatever is checked out by now."""
    sha, dirty, _ = reference.rpartition(":")[2].partition("-dirty")
    return "--allow-dirty" if dirty else f"--sha {sha[:12]}"


class _Pusher:
    """What the pushes of one step share."""

    def __init__(self, docker: Docker, aws: Aws, progress: Progress, environment: Mapping[str, str]) -> None:
        self.children = Children()
        self._docker, self._aws, self._progress, self._environment = docker, aws, progress, environment

    def push(self, key: str, service: Service, reference: str, tag: str, local_id: str) -> Image:
        uri = reference.removesuffix(f":{tag}")
        argv = [self._docker.program, "push", reference]
        self._progress.command(argv)
        layers: dict[str, bool] = {}
        done = self.children.follow(argv, partial(self._live, key, layers), env=self._environment)
        there = ecr.find_image(self._aws, service.repository, tag, uri) if done.code == 0 else None
        if done.code:
            return self._after_failure(key, service, uri, tag, done.code, done.output)
        reported = _PUSHED.search(done.output)
        digest = reported[1] if reported else "no digest"
        if there is None or there.digest != digest:
            shown = there.digest if there else "no image"
            raise FailedBefore(
                f"{key}: the push of {reference} reported {digest}, and ECR shows {shown}",
                "somebody else may have pushed the same tag just now: run the command again",
            )
        # The id is the config's digest; with the containerd image store it is the manifest's.
        if local_id not in (there.config_digest, there.digest):
            raise FailedBefore(
                f"{key}: ECR has {there.config_digest} under {reference}, and {local_id} was built",
                "the image was tagged anew between build and push: run `deploykit deploy` again",
            )
        self._progress.say(f"pushed {uri}@{digest}", key)
        return there

    def _after_failure(self, key: str, service: Service, uri: str, tag: str, code: int, output: str) -> Image:
        """ECR refuses a tag that exists where tags are immutable: then somebody else pushed this commit meanwhile."""
        refused = _TAKEN.search(output)
        theirs = ecr.find_image(self._aws, service.repository, tag, uri) if refused else None
        if theirs is not None:
            self._progress.warn(f"{uri}:{tag} was pushed by somebody else meanwhile: using {theirs.digest}", key)
            return theirs
        for line in output.splitlines():
            self._progress.say(line, key)
        raise push_failed(key, uri, service.repository, self._aws.region, code, output)

    def _live(self, key: str, layers: dict[str, bool], line: str) -> None:
        if layer := _LAYER.match(line):
            layers[layer[1]] = layer[2].startswith(_THERE)
            self._progress.live(key, f"pushing, {sum(layers.values())} of {len(layers)} layers are there")
