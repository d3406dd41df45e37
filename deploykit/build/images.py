"""The step `build`: which images are in ECR already, and the others built side by side."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from deploykit.build.arguments import BuildOrder, build_arguments, image_labels, refuse_unbuildable
from deploykit.build.failures import build_failed
from deploykit.build.sources import built_services, image_owner, lay_out
from deploykit.build.together import together
from deploykit.config.schema import Configuration, Service
from deploykit.edges.aws import ecr
from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import Clock, SystemClock
from deploykit.edges.docker import Docker, inspect_image, same_platform
from deploykit.edges.git import Repository
from deploykit.edges.parallel import side_by_side
from deploykit.edges.process import Children
from deploykit.errors import FailedBefore
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, Image

_STEP = re.compile(r"(?:#\d+ )?(\[[^]]*\d+/\d+\] .+|Step \d+/\d+ : .+|exporting to image)")  # BuildKit, classic


def find_images(
    aws: Aws, configuration: Configuration, commit: Commit, services: Iterable[str]
) -> dict[str, Image | None]:
    """What ECR has under the commit's tag, by service; None: to be built. One that is there is used as it is.

    Raises: FailedBefore (a repository that does not exist), NotAllowed, AwsUnreachable.
    """
    wanted = list(services)
    owners = built_services(configuration, wanted)
    look = {
        key: partial(ecr.find_image, aws, service.repository, commit.tag, service_uri(configuration, service))
        for key, service in owners.items()
    }
    found = side_by_side(look)
    return {key: found[image_owner(configuration, key)] for key in wanted}


def service_uri(configuration: Configuration, service: Service) -> str:
    """Where the service's images are, without a tag. Needs no call to AWS."""
    return ecr.image_uri(configuration.account, configuration.region, service.repository, configuration.registry)


def build_images(
    docker: Docker,
    repository: Repository,
    configuration: Configuration,
    commit: Commit,
    services: Iterable[str],
    progress: Progress,
    *,
    platforms: Mapping[str, str] | None = None,
    environment: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    tags: Mapping[str, str] | None = None,
    afresh: bool = False,
) -> dict[str, str]:
    """Build the images of ``services``, all at once → local image id by service that owns one; tagged ``URI:TAG``.

    ``platforms``: by service, what its live task definition runs on. ``tags``: by owning service, where it is not the
    commit's. ``afresh``: base images are pulled and no layer is taken from a cache. The user's own docker
    configuration is in force.
    Interrupted, or with one build failed, no docker child is left running.
    Raises: FailedBefore (with the build's whole output shown), OutOfReach, ConfigError.
    """
    wanted = list(services)
    owners = built_services(configuration, wanted)
    labels = image_labels(commit, repository.origin_url())
    with tempfile.TemporaryDirectory(prefix="deploykit-build-") as folder:
        laid_out = lay_out(repository, configuration, owners, commit, Path(folder) / "tree")
        users = {key: [user for user in wanted if image_owner(configuration, user) == key] for key in owners}
        orders = {
            key: BuildOrder(
                key,
                *laid_out[key],
                f"{service_uri(configuration, service)}:{(tags or {}).get(key, commit.tag)}",
                labels,
                service.target,
                _platform(service, {user: live for user, live in (platforms or {}).items() if user in users[key]}),
                service.build_args,
                service.build_secrets,
                afresh,
            )
            for key, service in owners.items()
        }
        for order in orders.values():
            refuse_unbuildable(docker, order, environment)
        bench = _Bench(docker, progress, environment, clock or SystemClock(), Path(folder))
        work = {key: partial(bench.build, order) for key, order in orders.items()}
        return together(work, bench.children)


def _platform(service: Service, live: Mapping[str, str]) -> str | None:
    """The platform to build for: the configuration's, which must be that of the services that will run the image."""
    asked = service.platform or next(iter(live.values()), None)
    for user, platform in live.items():
        if asked and not same_platform(asked, platform):
            source = "deploykit.toml" if service.platform else "another service with the same image"
            raise FailedBefore(
                f"{user}: its live task definition runs {platform}, and {source} says {asked}",
                "mend `platform`, or change runtimePlatform where the task definition comes from (Terraform)",
            )
    return asked


class _Bench:
    """What the builds of one step share."""

    def __init__(
        self, docker: Docker, progress: Progress, environment: Mapping[str, str], clock: Clock, folder: Path
    ) -> None:
        self.children = Children()
        self._docker, self._progress, self._clock, self._folder = docker, progress, clock, folder
        self._environment = dict(environment) | docker.build_environment

    def build(self, order: BuildOrder) -> str:
        id_file = self._folder / f"{order.service}.id"
        argv = build_arguments(self._docker, order, id_file)
        self._progress.command([*(f"{k}={v}" for k, v in self._docker.build_environment.items()), *argv])
        began = self._clock.monotonic()
        done = self.children.follow(argv, partial(self._live, order), env=self._environment)
        if done.code:
            for line in done.output.splitlines():
                self._progress.say(self._without_secrets(order, line), order.service)
            raise build_failed(order, done.code, done.output, self._docker.engine_platform)
        identifier = id_file.read_text().strip()
        self._check_platform(order, identifier)
        seconds = self._clock.monotonic() - began
        self._progress.say(f"built {order.reference} in {seconds:.1f} s ({identifier[7:19]})", order.service)
        return identifier

    def _live(self, order: BuildOrder, line: str) -> None:
        if step := _STEP.match(line):
            self._progress.live(order.service, self._without_secrets(order, step[1]))

    def _without_secrets(self, order: BuildOrder, line: str) -> str:
        for variable in order.build_secrets.values():
            if value := self._environment[variable]:
                line = line.replace(value, "***")
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
