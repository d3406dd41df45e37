"""What the registry has of each image already: by content, or under the commit's tag."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.ecr_names import image_uri
from deploykit.edges.aws.ecr_platforms import image_platforms
from deploykit.edges.aws.ecr_policy import PUSH, RETAG, RepositoryPolicy, own_principal, repository_policy
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.docker import same_platform
from deploykit.edges.git import Repository
from deploykit.edges.parallel import side_by_side
from deploykit.errors import OutOfReach
from deploykit.images.content import ContentKey, content_key
from deploykit.images.platforms import DEFAULT_PLATFORM, Demand, demands
from deploykit.images.sources import image_owner
from deploykit.model.release import Commit, Image

_REBUILDS = 20  # of one content that are looked for


@dataclass(frozen=True)
class Stock:
    """One service's image as the registry has it; ``image`` None: it has to be built.

    ``named``: the commit's tag exists. ``conflict``: what makes the image under the commit's tag another one than
    this environment asks for. ``platforms``: what ``image`` runs on, where that is not what is asked for. ``denied``:
    the actions of a push that the repository's policy denies. ``warnings``: what could not be looked at.
    """

    owner: str  # the service whose context the image is made of
    key: ContentKey | None
    image: Image | None
    named: bool = False
    conflict: tuple[str, ...] = ()
    rebuilds: int = 0  # how often this content was built afresh
    platform: str = DEFAULT_PLATFORM  # what it is asked for
    differing: tuple[str, ...] = ()  # who runs on something else
    platforms: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def commit_tag(self, commit: Commit, *, rebuild: bool) -> str:
        """The tag that an image built now gets for its commit."""
        return rebuild_tag(commit.tag, self.rebuilds + 1) if rebuild and self.named else commit.tag

    def content_tag(self, *, rebuild: bool) -> str | None:
        """The tag that an image built now gets for its content; None where that is not known."""
        if self.key is None:
            return None
        return rebuild_tag(self.key.tag, self.rebuilds + 1) if rebuild else self.key.tag


def warnings_of(stock: Mapping[str, Stock]) -> tuple[str, ...]:
    """What could not be looked at, each once: services that share an image share its warnings."""
    return tuple(dict.fromkeys(text for item in stock.values() for text in item.warnings))


def find_stock(
    aws: Aws,
    repository: Repository,
    configuration: Configuration,
    commit: Commit,
    services: Iterable[str],
    live: Mapping[str, str],
    *,
    running: Mapping[str, str] | None = None,
    rebuild: bool = False,
) -> dict[str, Stock]:
    """Look every service's image up: one call for each repository that has it by content.

    ``live``: by service, the platform of its next task definition. ``running``: by service, the image it runs already
    on that platform, which needs no second look. ``rebuild``: everything is to be built afresh.
    Raises: FailedBefore (a repository that does not exist, a context that is not committed), NotAllowed.
    """
    wanted = list(services)
    look = {}
    for demand in demands(configuration, wanted, live):
        key = content_key(repository, configuration, demand.owner, commit, demand.platform)
        used = {digest for user, digest in (running or {}).items() if user in demand.users}
        look[demand.owner] = partial(_look, aws, configuration, demand, commit, key, used, rebuild)
    found = side_by_side(look)
    return {key: found[image_owner(configuration, key)] for key in wanted}


def rebuild_tag(tag: str, number: int) -> str:
    """``TAG-r2``: what was built afresh, beside what it replaces."""
    return f"{tag}-r{number}"


def _look(
    aws: Aws,
    configuration: Configuration,
    demand: Demand,
    commit: Commit,
    key: ContentKey | None,
    used: Collection[str],
    rebuild: bool,
) -> Stock:
    service = configuration.services[demand.owner]
    uri = image_uri(configuration.account, configuration.region, service.repository, configuration.registry)
    meant = key.tag if key else commit.tag  # uncommitted content is known by its own hash
    tags = [meant, *(rebuild_tag(meant, number) for number in range(1, _REBUILDS + 1))]
    found = ecr.find_images(aws, service.repository, list(dict.fromkeys([commit.tag, *tags])), uri)
    named, there = found.get(commit.tag), [tag for tag in tags if tag in found]
    stock = Stock(demand.owner, key, None, named is not None, platform=demand.platform, differing=demand.differing)
    if there:
        image = found[there[-1]]
        stock = replace(stock, image=image, rebuilds=tags.index(there[-1]))
        if named and named.digest != image.digest:
            stock = _with_conflict(stock, service.repository, commit, aws)
    elif named:
        stock = _with_conflict(replace(stock, image=named), service.repository, commit, aws)
        stock = replace(stock, image=None) if stock.conflict else stock
    told = bool(key and there)  # by the key, what it was built for
    if stock.image is not None and not told and not rebuild and stock.image.digest not in used:
        stock = _with_platforms(stock, stock.image, aws)
    if stock.image is not None and not rebuild and (stock.named or stock.image.digest in used):
        return stock
    actions = PUSH if stock.image is None or rebuild else RETAG
    return _with_policy(stock, service.repository, configuration.account, aws, actions)


def _with_platforms(stock: Stock, image: Image, aws: Aws) -> Stock:
    """Somebody else pushed it, so that no content key tells what it was built for."""
    try:
        platforms = image_platforms(aws, image)
    except (OutOfReach, AwsRefused) as error:
        return _unseen(stock, f"could not look what {stock.owner}'s image {image.reference} runs on: {error.message}")
    fits = not platforms or any(same_platform(stock.platform, platform) for platform in platforms)
    return stock if fits else replace(stock, platforms=platforms)


def _with_policy(stock: Stock, repository: str, account: str, aws: Aws, actions: Collection[str]) -> Stock:
    """Something is to be pushed or tagged, which the repository's own policy may deny, whatever IAM allows."""
    try:
        policy = repository_policy(aws, repository) or RepositoryPolicy()
        words = {action: policy.denies(action, account, None) for action in actions}
        if "perhaps" in words.values():
            words = {action: policy.denies(action, account, own_principal(aws)) for action in actions}
    except (OutOfReach, AwsRefused):
        return stock  # the look at what tasks will pull says so, and the push shows what it comes to
    if unsure := [action for action, word in words.items() if word == "perhaps"]:
        stock = _unseen(stock, f"the policy of repository {repository} may deny this run {', '.join(unsure)}")
    return replace(stock, denied=tuple(action for action, word in words.items() if word == "yes"))


def _unseen(stock: Stock, text: str) -> Stock:
    return replace(stock, warnings=(*stock.warnings, text))


def _with_conflict(stock: Stock, repository: str, commit: Commit, aws: Aws) -> Stock:
    """How what the image under the commit's tag is made of differs from what is asked for; nothing where it does not
    tell. Uncommitted content has no key to compare.
    """
    if stock.key is None:
        return stock
    try:
        tags = ecr.tags_beside(aws, repository, commit.tag)
    except NotAllowed as refusal:
        words = f"{stock.owner}: what the image under {commit.short} in {repository} was made of is not known"
        return _unseen(stock, f"{words}: {refusal.message}")
    keys = [other for tag in tags if (other := ContentKey.of_tag(tag))]
    same = not keys or stock.key in keys
    return stock if same else replace(stock, conflict=tuple(stock.key.differs_from(keys[0])))
