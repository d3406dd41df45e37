"""Which images are needed, for which platform, and what the registry has of them: by content, or by commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from deploykit.config.schema import Configuration
from deploykit.edges.aws import ecr
from deploykit.edges.aws.ecr_platforms import image_platforms
from deploykit.edges.aws.ecr_policy import PUSH, RETAG, RepositoryPolicy, own_principal, repository_policy
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.docker import same_platform
from deploykit.edges.git import Source
from deploykit.edges.parallel import side_by_side
from deploykit.errors import OutOfReach
from deploykit.images.content import ContentKey, content_key
from deploykit.images.sources import built_services, image_owner, repository_uri
from deploykit.model.observed import Definition
from deploykit.model.release import Commit, Image

_REBUILDS = 20  # of one content: so many tags are looked up
DEFAULT_PLATFORM = "linux/amd64"
_ARCHITECTURES = {"X86_64": DEFAULT_PLATFORM, "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class NeededImage:
    """One image as this environment needs it; ``differing`` names the users that run on another platform."""

    owner: str  # the service whose context it is made of
    users: tuple[str, ...]
    platform: str
    differing: tuple[str, ...] = ()


def needed_images(
    configuration: Configuration, services: Collection[str], live: Mapping[str, str]
) -> list[NeededImage]:
    """The images of ``services``. ``live``: the platform of each service's next task definition, where it is known."""
    needed = []
    for owner, service in built_services(configuration, services).items():
        users = tuple(user for user in services if image_owner(configuration, user) == owner)
        said = {user: live[user] for user in users if user in live}
        platform = service.platform or next(iter(said.values()), DEFAULT_PLATFORM)
        source = "deploykit.toml" if service.platform else "another service with the same image"
        differing = tuple(
            f"{user}: its task definition runs {theirs}, and {source} says {platform}"
            for user, theirs in said.items()
            if not same_platform(platform, theirs)
        )
        needed.append(NeededImage(owner, users, platform, differing))
    return needed


def platform_of(definition: Definition) -> str | None:
    """The platform that tasks of a definition run on; None where the definition does not tell.

    Without ``cpuArchitecture`` it is X86_64 on Fargate, and whatever the instances are on EC2.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
    """
    content = definition.content
    runtime = content.get("runtimePlatform") or {}
    if runtime.get("operatingSystemFamily", "LINUX") != "LINUX":
        return None
    fargate = list(content.get("requiresCompatibilities") or ()) == ["FARGATE"]
    return _ARCHITECTURES.get(runtime.get("cpuArchitecture") or ("X86_64" if fargate else ""))


@dataclass(frozen=True)
class FoundImage:
    """One service's image as the registry has it; ``image`` None: it must be built.

    ``named``: the commit's tag exists. ``conflict``: how the image under the commit's tag differs from the one that
    this environment needs. ``platforms``: what ``image`` runs on, where that is not ``platform``. ``denied``: the
    actions of a push that the repository's policy denies. ``warnings``: what could not be looked at.
    """

    owner: str  # the service whose context the image is made of
    repository: str
    key: ContentKey | None
    platform: str  # the one needed
    differing: tuple[str, ...]  # which services run on another
    named: bool
    image: Image | None = None
    conflict: tuple[str, ...] = ()
    rebuilds: int = 0  # how often this content was built afresh
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

    def warned(self, text: str) -> FoundImage:
        return replace(self, warnings=(*self.warnings, text))


def warnings_of(images: Mapping[str, FoundImage]) -> tuple[str, ...]:
    """What could not be looked at, each once: services that share an image share its warnings."""
    return tuple(dict.fromkeys(text for found in images.values() for text in found.warnings))


def rebuild_tag(tag: str, number: int) -> str:
    """``TAG-r2``: the image built afresh for the second time, beside those it replaces."""
    return f"{tag}-r{number}"


def look_up_images(
    aws: Aws,
    source: Source,
    configuration: Configuration,
    services: Collection[str],
    live: Mapping[str, str],
    running: Mapping[str, str],
    *,
    rebuild: bool = False,
) -> dict[str, FoundImage]:
    """Look every service's image up: one call for each repository that has it by content.

    ``live``: the platform of each service's next task definition. ``running``: the digest that a service runs already
    on that platform, whose image needs no second look. ``rebuild``: everything will be built afresh.
    Raises: FailedBefore (a repository that does not exist, a context that is not committed), NotAllowed.
    """
    looks = {}
    for needed in needed_images(configuration, services, live):
        key = content_key(source.repository, configuration, needed.owner, source.commit, needed.platform)
        used = {digest for user, digest in running.items() if user in needed.users}
        looks[needed.owner] = partial(_look, aws, configuration, needed, source.commit, key, used, rebuild)
    found = side_by_side(looks)
    return {key: found[image_owner(configuration, key)] for key in services}


def _look(
    aws: Aws,
    configuration: Configuration,
    needed: NeededImage,
    commit: Commit,
    key: ContentKey | None,
    used: Collection[str],
    rebuild: bool,
) -> FoundImage:
    service = configuration.services[needed.owner]
    content = key.tag if key else commit.tag  # uncommitted content has its own hash in the commit's tag
    tags = [content, *(rebuild_tag(content, number) for number in range(1, _REBUILDS + 1))]
    asked = list(dict.fromkeys([commit.tag, *tags]))
    by_tag = ecr.find_images(aws, service.repository, asked, repository_uri(configuration, service.repository))
    named, there = by_tag.get(commit.tag), [tag for tag in tags if tag in by_tag]
    found = FoundImage(
        needed.owner, service.repository, key, needed.platform, needed.differing, named=named is not None
    )
    if there:
        image = by_tag[there[-1]]
        found = replace(found, image=image, rebuilds=tags.index(there[-1]))
        if named and named.digest != image.digest:
            found = _with_conflict(found, commit, aws)
    elif named:
        found = _with_conflict(found, commit, aws)
        found = found if found.conflict else replace(found, image=named)
    by_key = bool(key and there)  # a content key names its platform; an image that somebody else pushed has none
    if found.image is not None and not by_key and not rebuild and found.image.digest not in used:
        found = _with_platforms(found, found.image, aws)
    if found.image is not None and not rebuild and (found.named or found.image.digest in used):
        return found
    actions = PUSH if found.image is None or rebuild else RETAG
    return _with_policy(found, configuration.account, aws, actions)


def _with_platforms(found: FoundImage, image: Image, aws: Aws) -> FoundImage:
    try:
        platforms = image_platforms(aws, image)
    except (OutOfReach, AwsRefused) as error:
        return found.warned(f"cannot tell what {found.owner}'s image {image.reference} runs on: {error.message}")
    fits = not platforms or any(same_platform(found.platform, platform) for platform in platforms)
    return found if fits else replace(found, platforms=platforms)


def _with_policy(found: FoundImage, account: str, aws: Aws, actions: Collection[str]) -> FoundImage:
    """The repository's own policy may deny a push or a tag, whatever IAM allows."""
    try:
        policy = repository_policy(aws, found.repository) or RepositoryPolicy()
        words = {action: policy.denies(action, account, None) for action in actions}
        if "perhaps" in words.values():
            words = {action: policy.denies(action, account, own_principal(aws)) for action in actions}
    except (OutOfReach, AwsRefused):
        return found  # preflight's pull check reports this; a denied push fails with its own message
    if unsure := [action for action, word in words.items() if word == "perhaps"]:
        found = found.warned(f"the policy of repository {found.repository} may deny this run {', '.join(unsure)}")
    return replace(found, denied=tuple(action for action, word in words.items() if word == "yes"))


def _with_conflict(found: FoundImage, commit: Commit, aws: Aws) -> FoundImage:
    """Compare the image under the commit's tag with what is needed, by the content key among its other tags.

    No conflict where it has no such tag, or where what is needed has no key because it is uncommitted.
    """
    if found.key is None:
        return found
    try:
        tags = ecr.tags_beside(aws, found.repository, commit.tag)
    except NotAllowed as refusal:
        words = f"{found.owner}: cannot tell what the image of commit {commit.short} in {found.repository} was made of"
        return found.warned(f"{words}: {refusal.message}")
    keys = [other for tag in tags if (other := ContentKey.of_tag(tag))]
    same = not keys or found.key in keys
    return found if same else replace(found, conflict=tuple(found.key.differs_from(keys[0])))
