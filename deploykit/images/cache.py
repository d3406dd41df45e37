"""The layer cache between machines, `[build] cache`: as much of one as the builder can keep. It never fails a build."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.ecr_names import image_uri
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.docker import Builder, Docker, exports_cache
from deploykit.errors import OutOfReach
from deploykit.images.credentials import logged_in
from deploykit.model.progress import Progress

_SECTION = re.compile(r"^ > (.+?):?$", re.MULTILINE)  # BuildKit lists at the end what failed
_ERROR = re.compile(r"^#\d+ ERROR: (.+)$", re.MULTILINE)
_CANNOT = "Cache export is not supported"


@dataclass(frozen=True)
class LayerCache:
    """Where layers are kept, and how.

    ``exports``: the builder writes the layers of every stage there itself. Otherwise the image carries what is needed
    to find its own layers again, and is pushed there once more.
    """

    uri: str  # the repository with its host
    exports: bool
    prefix: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # docker is logged in in it

    def reference(self, service: str, platform: str | None) -> str:
        """The tag of one image's layers; the next build moves it."""
        return f"{self.uri}:{'-'.join(filter(None, (self.prefix, service, *(platform or '').split('/'))))}"

    def arguments(self, builder: Builder, reference: str, *, afresh: bool) -> list[str]:
        """What `docker build` is told. https://docs.docker.com/build/cache/backends/registry/

        ECR takes a cache as an image's manifest only, not as an index.
        """
        if builder is Builder.BUILDKIT:
            return [*([] if afresh else ["--cache-from", reference]), "--build-arg", "BUILDKIT_INLINE_CACHE=1"]
        read = [] if afresh else ["--cache-from", f"type=registry,ref={reference}"]
        kept = f"type=registry,ref={reference},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"
        return [*read, "--cache-to", kept if self.exports else "type=inline"]


@contextmanager
def layer_cache(
    configuration: Configuration, docker: Docker, aws: Aws, progress: Progress, environment: Mapping[str, str]
) -> Iterator[LayerCache | None]:
    """The cache that the configuration asks for, while docker is logged in to its registry; None: go on without.

    Why there is none, or only half of one, is said in one line.
    """
    repository = (configuration.build.cache or "").partition(":")[2]
    cache = None
    with ExitStack() as login:
        if repository and not _said_why_not(repository, docker, aws, progress):
            uri = image_uri(configuration.account, configuration.region, repository, configuration.registry)
            try:
                credentials = logged_in(ecr.login(aws), uri.partition("/")[0], environment, besides_theirs=True)
                cache = LayerCache(
                    uri,
                    docker.builder is Builder.BUILDX and exports_cache(docker, environment),
                    configuration.project.name,
                    login.enter_context(credentials),
                )
            except (OutOfReach, AwsRefused) as error:
                progress.warn(f"no layer cache: {error.message}")
        if cache and not cache.exports:
            progress.say(
                "layer cache: this builder keeps the layers of the last stage only; one made by `docker buildx create "
                "--use` keeps those of all"
            )
        yield cache


def only_the_cache_failed(output: str) -> bool:
    """Whether a build ended badly over its cache alone."""
    failed = _SECTION.findall(output)
    over_cache = [section for section in failed if section.startswith(("exporting cache", "importing cache"))]
    return _CANNOT in output or (bool(failed) and over_cache == failed)


def cache_troubles(output: str) -> list[str]:
    """What went wrong with the cache in a build that ended well; that nothing was kept there yet is no trouble."""
    return [text for text in dict.fromkeys(_ERROR.findall(output)) if not text.endswith("not found")]


def _said_why_not(repository: str, docker: Docker, aws: Aws, progress: Progress) -> bool:
    if docker.builder is Builder.CLASSIC:
        progress.warn(
            f"no layer cache: {docker.program} ({docker.version}) has the classic builder, which can keep none; "
            "install buildx: https://github.com/docker/buildx#installing"
        )
        return True
    try:
        mutability = ecr.tag_mutability(aws, repository)
    except NotAllowed:
        return False  # the build will show whether the cache can be used
    except (OutOfReach, AwsRefused) as error:
        progress.warn(f"no layer cache: {error.message}")
        return True
    if mutability is None:
        progress.warn(
            f"no layer cache: the ECR repository {repository} does not exist; make it: `aws ecr create-repository "
            f"--repository-name {repository} --image-tag-mutability MUTABLE --region {aws.region}`"
        )
    if mutability == "IMMUTABLE":
        progress.warn(
            f"no layer cache: tags of the ECR repository {repository} cannot be moved; let them: `aws ecr "
            f"put-image-tag-mutability --repository-name {repository} --image-tag-mutability MUTABLE "
            f"--region {aws.region}`"
        )
    return mutability in (None, "IMMUTABLE")
