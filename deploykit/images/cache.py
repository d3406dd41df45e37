"""The layer cache that machines share, `[build] cache`: as much as the builder can keep. It never fails a build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.docker import Builder, Docker, exports_cache
from deploykit.edges.world import World
from deploykit.errors import OutOfReach
from deploykit.images.credentials import logged_in
from deploykit.images.sources import repository_uri
from deploykit.model.progress import Progress

_SECTION = re.compile(r"^ > (.+?):?$", re.MULTILINE)  # BuildKit lists at the end what failed
_ERROR = re.compile(r"^#\d+ ERROR: (.+)$", re.MULTILINE)
_CANNOT = "Cache export is not supported"


@dataclass(frozen=True)
class LayerCache:
    """Where layers are kept. ``exports``: the builder writes the layers of every stage there itself.

    Otherwise the image carries what is needed to find its own layers again, and is pushed there once more.
    """

    uri: str  # the repository with its host
    exports: bool
    prefix: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # with docker's login

    def reference(self, service: str, platform: str | None) -> str:
        """The tag of one image's layers; the next build moves it."""
        return f"{self.uri}:{'-'.join(filter(None, (self.prefix, service, *(platform or '').split('/'))))}"

    def arguments(self, builder: Builder, reference: str, *, afresh: bool) -> list[str]:
        """The options of `docker build`. ECR takes a cache as an image's manifest only, not as an index.

        https://docs.docker.com/build/cache/backends/registry/
        """
        if builder is Builder.BUILDKIT:
            return [*([] if afresh else ["--cache-from", reference]), "--build-arg", "BUILDKIT_INLINE_CACHE=1"]
        read = [] if afresh else ["--cache-from", f"type=registry,ref={reference}"]
        kept = f"type=registry,ref={reference},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
        return [*read, "--cache-to", kept if self.exports else "type=inline"]


@contextmanager
def layer_cache(configuration: Configuration, docker: Docker, world: World) -> Iterator[LayerCache | None]:
    """The cache that the configuration asks for, while docker is logged in to its registry; None: build without.

    One line says why there is none, or why it keeps the last stage only.
    """
    repository = (configuration.build.cache or "").partition(":")[2]
    cache = None
    with ExitStack() as login:
        if repository and _usable(repository, docker, world.aws, world.progress):
            uri = repository_uri(configuration, repository)
            try:
                credentials = logged_in(ecr.login(world.aws), uri.partition("/")[0], world.environ, besides_theirs=True)
                cache = LayerCache(
                    uri,
                    docker.builder is Builder.BUILDX and exports_cache(docker, world.environ),
                    configuration.project.name,
                    login.enter_context(credentials),
                )
            except (OutOfReach, AwsRefused) as error:
                world.progress.warn(f"no layer cache: {error.message}")
        if cache and not cache.exports:
            world.progress.say(
                "layer cache: this builder keeps the layers of the last stage only; one made by `docker buildx create "
                "--use` keeps those of all"
            )
        yield cache


def only_the_cache_failed(output: str) -> bool:
    """Whether nothing but the cache made a build fail."""
    failed = _SECTION.findall(output)
    over_cache = [section for section in failed if section.startswith(("exporting cache", "importing cache"))]
    return _CANNOT in output or (bool(failed) and over_cache == failed)


def cache_troubles(output: str) -> list[str]:
    """What went wrong with the cache of a build that succeeded; an empty cache is no trouble."""
    return [text for text in dict.fromkeys(_ERROR.findall(output)) if not text.endswith("not found")]


def _usable(repository: str, docker: Docker, aws: Aws, progress: Progress) -> bool:
    """Whether layers can be kept in the ECR ``repository``; a warning says why not."""
    try:
        mutability = "" if docker.builder is Builder.CLASSIC else ecr.tag_mutability(aws, repository)
    except NotAllowed:
        return True  # the build will show whether the cache can be used
    except (OutOfReach, AwsRefused) as error:
        progress.warn(f"no layer cache: {error.message}")
        return False
    options = f"--repository-name {repository} --image-tag-mutability MUTABLE --region {aws.region}"
    words = {
        "": f"{docker.program} ({docker.version}) has the classic builder, which can keep none; install buildx: "
        "https://github.com/docker/buildx#installing",
        None: f"the ECR repository {repository} does not exist; create it: `aws ecr create-repository {options}`",
        "IMMUTABLE": f"tags of the ECR repository {repository} cannot be moved; allow it: "
        f"`aws ecr put-image-tag-mutability {options}`",
    }
    if mutability in words:
        progress.warn(f"no layer cache: {words[mutability]}")
    return mutability not in words
