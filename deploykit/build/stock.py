"""What the registry has of each image already: by content, or under the commit's tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from deploykit.build.content import ContentKey, content_key
from deploykit.build.sources import built_services, image_owner
from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.session import Aws
from deploykit.edges.git import Repository
from deploykit.edges.parallel import side_by_side
from deploykit.errors import FailedBefore
from deploykit.model.release import Commit, Image

_REBUILDS = 20  # of one content that are looked for

DEFAULT_PLATFORM = "linux/amd64"


@dataclass(frozen=True)
class Stock:
    """One service's image as the registry has it; ``image`` None: it has to be built.

    ``named``: the commit's tag exists. ``conflict``: what makes the image under the commit's tag another one than
    this environment asks for.
    """

    owner: str  # the service whose context the image is made of
    key: ContentKey | None
    image: Image | None
    named: bool = False
    conflict: tuple[str, ...] = ()
    rebuilds: int = 0  # how often this content was built afresh


def find_stock(
    aws: Aws,
    repository: Repository,
    configuration: Configuration,
    commit: Commit,
    services: Iterable[str],
    live_platforms: Mapping[str, str],
) -> dict[str, Stock]:
    """Look every service's image up, one call for each repository.

    Raises: FailedBefore (a repository that does not exist, a context that is not committed), NotAllowed.
    """
    wanted = list(services)
    owners = built_services(configuration, wanted)
    look = {}
    for owner in owners:
        users = [key for key in wanted if image_owner(configuration, key) == owner]
        platform = owners[owner].platform or next((live_platforms[u] for u in users if u in live_platforms), None)
        key = content_key(repository, configuration, owner, commit, platform or DEFAULT_PLATFORM)
        look[owner] = partial(_look, aws, configuration, owner, commit, key)
    found = side_by_side(look)
    return {key: found[image_owner(configuration, key)] for key in wanted}


def refuse_conflict(stock: Stock, commit: Commit) -> None:
    """Raises: FailedBefore where the commit's tag holds an image made of something else."""
    if stock.conflict:
        raise FailedBefore(
            f"{stock.owner}: the registry has another image of commit {commit.short}; what differs: "
            f"{', '.join(stock.conflict)}",
            "one commit gives one image: move what differs between environments out of the build, "
            "or give each environment a repository of its own",
        )


def rebuild_tag(tag: str, number: int) -> str:
    """``TAG-r2``: what was built afresh, beside what it replaces."""
    return f"{tag}-r{number}"


def _look(aws: Aws, configuration: Configuration, owner: str, commit: Commit, key: ContentKey | None) -> Stock:
    service = configuration.services[owner]
    uri = ecr.image_uri(configuration.account, configuration.region, service.repository, configuration.registry)
    keyed = [key.tag, *(rebuild_tag(key.tag, number) for number in range(1, _REBUILDS + 1))] if key else []
    found = ecr.find_images(aws, service.repository, [commit.tag, *keyed], uri)
    named = found.get(commit.tag)
    by_content = [tag for tag in keyed if tag in found]
    if by_content:
        image = found[by_content[-1]]
        conflict = _conflict(aws, service.repository, commit, key) if named and named.digest != image.digest else ()
        return Stock(owner, key, image, named is not None, conflict, keyed.index(by_content[-1]))
    conflict = _conflict(aws, service.repository, commit, key) if named and key else ()
    return Stock(owner, key, None if conflict else named, named is not None, conflict)


def _conflict(aws: Aws, repository: str, commit: Commit, key: ContentKey | None) -> tuple[str, ...]:
    """How what the image under the commit's tag is made of differs from ``key``; nothing where it does not tell."""
    tags = ecr.tags_beside(aws, repository, commit.tag)
    keys = [other for tag in tags if (other := ContentKey.of_tag(tag))]
    if key is None or not keys or key in keys:
        return ()
    return tuple(key.differs_from(keys[0]))
