"""The step `build`: images built side by side, each from what is committed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from deploykit.config.schema import Configuration
from deploykit.edges.docker import Docker, inspect_image, same_platform
from deploykit.edges.git import Source
from deploykit.edges.parallel import together
from deploykit.edges.process import Children, Finished
from deploykit.edges.world import World
from deploykit.errors import FailedBefore
from deploykit.images.arguments import BuildSpec, build_arguments, image_labels, refuse_unbuildable
from deploykit.images.cache import LayerCache, cache_troubles, only_the_cache_failed
from deploykit.images.content import ContentKey
from deploykit.images.failures import build_failed
from deploykit.images.sources import lay_out, repository_uri

_STEP = re.compile(r"(?:#\d+ )?(\[[^]]*\d+/\d+\] .+|Step \d+/\d+ : .+|exporting to image)")  # BuildKit, classic
_LONG_ENOUGH = 6  # characters of a secret's line; masking shorter ones would mask half a log
CONTENT_LABEL = "deploykit.content"  # on an image: what it was made of


@dataclass(frozen=True)
class ImageToBuild:
    """One image to build: its tag, its platform, and its content key (None for uncommitted content)."""

    tag: str
    platform: str | None = None
    content: ContentKey | None = None

    @property
    def labels(self) -> dict[str, str]:
        """What tells a later ``push`` whether the image on the engine is the right one."""
        return {CONTENT_LABEL: self.content.tag} if self.content else {}


def build_images(
    docker: Docker,
    source: Source,
    configuration: Configuration,
    wanted: Mapping[str, ImageToBuild],
    world: World,
    *,
    afresh: bool = False,
    cache: LayerCache | None = None,
) -> dict[str, str]:
    """Build ``wanted`` (by the service whose context it is), all at once → local image ids; tagged ``URI:TAG``.

    ``afresh``: pull base images and take no layer from a cache. Docker uses the user's own configuration. When one
    build fails, or Ctrl-C comes, no docker child is left running.
    Raises: FailedBefore (with the build's whole output shown), OutOfReach, ConfigError.
    """
    owners = {key: configuration.services[key] for key in wanted}
    labels = image_labels(source.commit, source.repository.origin_url())
    with tempfile.TemporaryDirectory(prefix="deploykit-build-") as folder:
        laid_out = lay_out(source.repository, configuration, owners, source.commit, Path(folder) / "tree")
        specs = {
            key: BuildSpec(
                key,
                *laid_out[key],
                f"{repository_uri(configuration, service.repository)}:{wanted[key].tag}",
                {**labels, **wanted[key].labels},
                service.target,
                wanted[key].platform or service.platform,
                service.build_args,
                service.build_secrets,
                afresh,
            )
            for key, service in owners.items()
        }
        for spec in specs.values():
            refuse_unbuildable(docker, spec, world.environ)
        variables = dict(cache.environment if cache else world.environ) | docker.build_environment
        builds = _Builds(docker, world, variables, Path(folder), cache)
        return together({key: partial(builds.build, spec) for key, spec in specs.items()}, builds.children)


@dataclass(frozen=True)
class _Builds:
    """What the builds of one step share."""

    docker: Docker
    world: World
    environment: Mapping[str, str]
    folder: Path
    cache: LayerCache | None
    children: Children = field(default_factory=Children)

    def build(self, spec: BuildSpec) -> str:
        id_file = self.folder / f"{spec.service}.id"
        began = self.world.clock.monotonic()
        done = self._run_cached(self.cache, spec, id_file) if self.cache else self._run(spec, id_file)
        if done.code:
            for line in done.output.splitlines():
                self.world.progress.say(self._without_secrets(spec, line), spec.service)
            raise build_failed(spec, done.code, done.output, self.docker.engine_platform)
        identifier = id_file.read_text().strip()
        self._check_platform(spec, identifier)
        seconds = self.world.clock.monotonic() - began
        self.world.progress.say(f"built {spec.reference} in {seconds:.1f} s ({identifier[7:19]})", spec.service)
        return identifier

    def _run_cached(self, cache: LayerCache, spec: BuildSpec, id_file: Path) -> Finished:
        """Build with the layer cache; where the cache alone made it fail, build once more without."""
        reference = cache.reference(spec.service, spec.platform)
        options = tuple(cache.arguments(self.docker.builder, reference, afresh=spec.afresh))
        done = self._run(replace(spec, cache=options), id_file)
        if done.code and only_the_cache_failed(done.output):
            self._warn_of_cache(spec, _last_line(done))
            return self._run(spec, id_file)
        for trouble in cache_troubles(done.output) if not done.code else ():
            self._warn_of_cache(spec, trouble)
        if not done.code and not cache.exports:
            self._push_cache(spec, id_file.read_text().strip(), reference)
        return done

    def _run(self, spec: BuildSpec, id_file: Path) -> Finished:
        argv = build_arguments(self.docker, spec, id_file)
        self.world.progress.command([*(f"{k}={v}" for k, v in self.docker.build_environment.items()), *argv])
        return self._follow(spec, *argv)

    def _push_cache(self, spec: BuildSpec, identifier: str, reference: str) -> None:
        """Push an image that carries its own cache to where the next build looks for it."""
        program = self.docker.program
        for argv in ((program, "tag", identifier, reference), (program, "push", reference)):
            done = self._follow(spec, *argv)
            if done.code:
                self._warn_of_cache(spec, _last_line(done))
                break
        # else the next build would use this machine's copy and not what the registry has
        self._follow(spec, program, "rmi", reference)

    def _follow(self, spec: BuildSpec, *argv: str) -> Finished:
        return self.children.follow(argv, partial(self._live, spec), env=self.environment)

    def _warn_of_cache(self, spec: BuildSpec, text: str) -> None:
        self.world.progress.warn(f"layer cache: {self._without_secrets(spec, text)}", spec.service)

    def _live(self, spec: BuildSpec, line: str) -> None:
        if step := _STEP.match(line):
            self.world.progress.live(spec.service, self._without_secrets(spec, step[1]))

    def _without_secrets(self, spec: BuildSpec, line: str) -> str:
        for variable in spec.build_secrets.values():
            value = self.environment[variable].strip()
            # a key of several lines is printed line by line
            for part in (value, *(part for part in map(str.strip, value.splitlines()) if len(part) >= _LONG_ENOUGH)):
                line = line.replace(part, "***") if part else line
        return line

    def _check_platform(self, spec: BuildSpec, identifier: str) -> None:
        """The classic builder succeeds with an image of its own platform, whatever it was asked for."""
        if spec.platform is None:
            return
        image = inspect_image(self.docker, identifier, self.environment)
        built = image.platform if image else "nothing"
        if not same_platform(spec.platform, built):
            raise FailedBefore(
                f"{spec.service}: asked for {spec.platform}, but the {self.docker.builder} builder made {built}",
                "use a base image of that platform (FROM --platform), and buildx where the builder is classic",
            )


def _last_line(done: Finished) -> str:
    return done.output.strip().rpartition("\n")[2]
