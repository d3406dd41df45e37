"""The step `build`: images built side by side, each from what is committed."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from deploykit.config.schema import Configuration, Service
from deploykit.edges.aws.ecr_names import image_uri
from deploykit.edges.clock import Clock, SystemClock
from deploykit.edges.docker import Docker, inspect_image, same_platform
from deploykit.edges.git import Repository
from deploykit.edges.process import Children, Finished
from deploykit.errors import FailedBefore
from deploykit.images.arguments import BuildOrder, build_arguments, image_labels, refuse_unbuildable
from deploykit.images.cache import LayerCache, cache_troubles, only_the_cache_failed
from deploykit.images.content import ContentKey
from deploykit.images.failures import build_failed
from deploykit.images.sources import lay_out
from deploykit.images.together import together
from deploykit.model.progress import Progress
from deploykit.model.release import Commit

_STEP = re.compile(r"(?:#\d+ )?(\[[^]]*\d+/\d+\] .+|Step \d+/\d+ : .+|exporting to image)")  # BuildKit, classic
_TELLING = 6  # characters of one line of a secret
CONTENT_LABEL = "deploykit.content"  # of what an image on the engine was made


@dataclass(frozen=True)
class Wanted:
    """One image to be built: its tag, what for, and its content key (None for uncommitted content)."""

    tag: str
    platform: str | None = None
    content: ContentKey | None = None

    @property
    def labels(self) -> dict[str, str]:
        """What tells a later ``push`` whether the image on the engine is the one it wants."""
        return {CONTENT_LABEL: self.content.tag} if self.content else {}


def service_uri(configuration: Configuration, service: Service) -> str:
    """Where the service's images are, without a tag. Needs no call to AWS."""
    return image_uri(configuration.account, configuration.region, service.repository, configuration.registry)


def build_images(
    docker: Docker,
    repository: Repository,
    configuration: Configuration,
    commit: Commit,
    wanted: Mapping[str, Wanted],
    progress: Progress,
    *,
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    afresh: bool = False,
    cache: LayerCache | None = None,
) -> dict[str, str]:
    """Build ``wanted`` (by the service whose context it is), all at once → local image ids; tagged ``URI:TAG``.

    ``afresh``: base images are pulled and no layer is taken from a cache. The user's own docker configuration is in
    force. Interrupted, or with one build failed, no docker child is left running.
    Raises: FailedBefore (with the build's whole output shown), OutOfReach, ConfigError.
    """
    owners = {key: configuration.services[key] for key in wanted}
    labels = image_labels(commit, repository.origin_url())
    with tempfile.TemporaryDirectory(prefix="deploykit-build-") as folder:
        laid_out = lay_out(repository, configuration, owners, commit, Path(folder) / "tree")
        orders = {
            key: BuildOrder(
                key,
                *laid_out[key],
                f"{service_uri(configuration, service)}:{wanted[key].tag}",
                {**labels, **wanted[key].labels},
                service.target,
                wanted[key].platform or service.platform,
                service.build_args,
                service.build_secrets,
                afresh,
            )
            for key, service in owners.items()
        }
        for order in orders.values():
            refuse_unbuildable(docker, order, environment)
        bench = _Bench(docker, progress, environment, clock or SystemClock(), Path(folder), cache)
        work = {key: partial(bench.build, order) for key, order in orders.items()}
        return together(work, bench.children)


class _Bench:
    """What the builds of one step share."""

    def __init__(
        self,
        docker: Docker,
        progress: Progress,
        environment: Mapping[str, str],
        clock: Clock,
        folder: Path,
        cache: LayerCache | None,
    ) -> None:
        self.children = Children()
        self._docker, self._progress, self._clock, self._folder = docker, progress, clock, folder
        self._cache = cache
        self._environment = dict(cache.environment if cache else environment) | docker.build_environment

    def build(self, order: BuildOrder) -> str:
        id_file = self._folder / f"{order.service}.id"
        began = self._clock.monotonic()
        reference = self._cache.reference(order.service, order.platform) if self._cache else ""
        cached = order
        if self._cache:
            words = self._cache.arguments(self._docker.builder, reference, afresh=order.afresh)
            cached = replace(order, cache=tuple(words))
        done = self._run(cached, id_file)
        if done.code and self._cache and only_the_cache_failed(done.output):
            self._warn_of_cache(order, done.output.strip().rpartition("\n")[2])
            done = self._run(order, id_file)
        elif self._cache and not done.code:
            self._keep(order, id_file.read_text().strip(), reference, done.output)
        if done.code:
            for line in done.output.splitlines():
                self._progress.say(self._without_secrets(order, line), order.service)
            raise build_failed(order, done.code, done.output, self._docker.engine_platform)
        identifier = id_file.read_text().strip()
        self._check_platform(order, identifier)
        seconds = self._clock.monotonic() - began
        self._progress.say(f"built {order.reference} in {seconds:.1f} s ({identifier[7:19]})", order.service)
        return identifier

    def _run(self, order: BuildOrder, id_file: Path) -> Finished:
        argv = build_arguments(self._docker, order, id_file)
        self._progress.command([*(f"{k}={v}" for k, v in self._docker.build_environment.items()), *argv])
        return self.children.follow(argv, partial(self._live, order), env=self._environment)

    def _keep(self, order: BuildOrder, identifier: str, reference: str, output: str) -> None:
        """Push an image that carries its own cache where the next build looks for it; the builder did other caches."""
        for trouble in cache_troubles(output):
            self._warn_of_cache(order, trouble)
        if self._cache is None or self._cache.exports:
            return
        program = self._docker.program
        for argv in ((program, "tag", identifier, reference), (program, "push", reference)):
            done = self.children.follow(argv, partial(self._live, order), env=self._environment)
            if done.code:
                self._warn_of_cache(order, done.output.strip().rpartition("\n")[2])
                break
        # else a build would take what this machine kept for what the registry has
        self.children.follow((program, "rmi", reference), partial(self._live, order), env=self._environment)

    def _warn_of_cache(self, order: BuildOrder, text: str) -> None:
        self._progress.warn(f"layer cache: {self._without_secrets(order, text)}", order.service)

    def _live(self, order: BuildOrder, line: str) -> None:
        if step := _STEP.match(line):
            self._progress.live(order.service, self._without_secrets(order, step[1]))

    def _without_secrets(self, order: BuildOrder, line: str) -> str:
        for variable in order.build_secrets.values():
            value = self._environment[variable].strip()
            # a key's lines are printed one by one; what is shorter tells nothing, and would star out half a log
            for part in (value, *(part for part in map(str.strip, value.splitlines()) if len(part) >= _TELLING)):
                line = line.replace(part, "***") if part else line
        return line

    def _check_platform(self, order: BuildOrder, identifier: str) -> None:
        """The classic builder ends well, with an image of its own platform, whatever was asked for."""
        if order.platform is None:
            return
        image = inspect_image(self._docker, identifier, self._environment)
        built = image.platform if image else "nothing"
        if not same_platform(order.platform, built):
            raise FailedBefore(
                f"{order.service}: asked for {order.platform}, but the {self._docker.builder} builder made {built}",
                "use a base image of that platform (FROM --platform), and buildx where the builder is classic",
            )
