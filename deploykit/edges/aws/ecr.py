"""ECR: repositories, images by tag, and the login for a push."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deploykit.edges.aws.ecr_platforms import INDEXES, platforms_of_index
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import portions
from deploykit.errors import FailedBefore
from deploykit.model.hint import Hint, command
from deploykit.model.release import Image

# Name all of them: otherwise ECR translates the manifest or leaves the image out.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
_ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    *INDEXES,
)
_IMAGES_A_CALL = 100  # BatchGetImage takes no more
_TAKEN = ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException")


@dataclass(frozen=True)
class Login:
    """What a push logs in with; it is valid for twelve hours."""

    username: str
    password: str = field(repr=False)
    endpoint: str  # "https://108581769167.dkr.ecr.us-east-1.amazonaws.com"


def list_repositories(aws: Aws) -> list[str]:
    """The names of the region's repositories.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
    """
    return [str(item["repositoryName"]) for item in aws.pages("ecr", "DescribeRepositories", "repositories")]


def tag_mutability(aws: Aws, repository: str) -> str | None:
    """Whether tags can be moved ("MUTABLE", "IMMUTABLE" …); None where the repository does not exist.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    try:
        answer = aws.call("ecr", "DescribeRepositories", repositoryNames=[repository])
    except AwsRefused as error:
        if error.error != "RepositoryNotFoundException":
            raise
        return None
    return str(answer["repositories"][0].get("imageTagMutability", "MUTABLE"))


class NoRepository(FailedBefore):
    """The repository does not exist."""


class TagTaken(FailedBefore):
    """Another image has the tag, which cannot be moved; ``holder`` is that image, where it still exists."""

    def __init__(self, tag: str, repository: str, holder: Image | None) -> None:
        owner = holder.digest if holder else "another image"
        super().__init__(
            f"the tag {tag} of {repository} belongs to {owner}, and the repository is immutable",
            "make a new commit, which has a SHA of its own, or delete that image from ECR",
        )
        self.holder = holder


def missing_repository(name: str, region: str) -> NoRepository:
    """The error of a repository that does not exist."""
    return NoRepository(
        f"the ECR repository {name} does not exist in {region}",
        "create it (or fix `repository` in deploykit.toml): "
        f"`aws ecr create-repository --repository-name {name} --image-tag-mutability IMMUTABLE --region {region}`",
    )


def find_images(aws: Aws, repository: str, tags: Sequence[str], uri: str) -> dict[str, Image]:
    """The images of those ``tags`` that exist, by tag; usually in one call.

    ``config_digest`` is None for an index of images; only for an index are ``platforms`` known.
    Raises: FailedBefore (no such repository).
    """
    shown, missing = _batch_get(aws, repository, [{"imageTag": tag} for tag in tags])
    by_tag = {str(image["imageId"].get("imageTag")): image for image in shown}
    found = {tag: _image(by_tag[tag], repository, tag, uri) for tag in tags if tag in by_tag}
    for tag, image in found.items():  # a retag may need the manifest in a moment
        aws.remember(("manifest", repository, image.digest), partial(by_tag.__getitem__, tag))
    # ECR may return an image with several of the tags once only
    for tag in (tag for tag in tags if tag not in by_tag and tag not in missing and len(tags) > 1):
        found |= find_images(aws, repository, [tag], uri)
    return found


def tags_beside(aws: Aws, repository: str, tag: str) -> list[str]:
    """Every tag of the image that ``tag`` names.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """
    answer = aws.call("ecr", "DescribeImages", repositoryName=repository, imageIds=[{"imageTag": tag}])
    return [str(other) for detail in answer["imageDetails"] for other in detail.get("imageTags") or ()]


def retag(aws: Aws, image: Image, tag: str) -> Image:
    """Give ``image`` one more tag. Repeating it is no error.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
    Raises: TagTaken (an immutable tag that is another image's), FailedBefore (no such repository or image).
    """
    found = aws.remember(("manifest", image.repository, image.digest), partial(_manifest, aws, image))
    try:
        aws.call(
            "ecr",
            "PutImage",
            repositoryName=image.repository,
            imageManifest=found["imageManifest"],
            imageManifestMediaType=_media_type(found),
            imageTag=tag,
        )
    except AwsRefused as error:
        # Either code may mean that this very image has the tag already: look whose it is.
        # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
        if error.error not in _TAKEN:
            raise
        holder = find_images(aws, image.repository, [tag], image.uri).get(tag)
        if holder is None or holder.digest != image.digest:
            raise TagTaken(tag, image.repository, holder) from error
    return _image(found, image.repository, tag, image.uri)


def login(aws: Aws) -> Login:
    """A user name and password for the registry, requested once.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    """
    granted = aws.remember(("ecr login",), lambda: aws.call("ecr", "GetAuthorizationToken")["authorizationData"][0])
    username, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Login(username, password, str(granted["proxyEndpoint"]))


def _batch_get(
    aws: Aws, repository: str, identifiers: Sequence[Mapping[str, str]], **registry: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Manifests, and which of ``identifiers`` (tags or digests) no image has.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageFailure.html
    """
    asked: dict[str, Any] = {"repositoryName": repository, "imageIds": [dict(one) for one in identifiers], **registry}
    try:
        answer = aws.call("ecr", "BatchGetImage", acceptedMediaTypes=list(_ACCEPTED), **asked)
    except AwsRefused as error:
        if error.error != "RepositoryNotFoundException":
            raise
        raise missing_repository(repository, aws.region) from error
    missing = []
    for failure in answer.get("failures") or ():
        which = failure["imageId"].get("imageDigest") or failure["imageId"].get("imageTag", "")
        if failure.get("failureCode") != "ImageNotFound":
            why = f"{failure.get('failureCode')}: {failure.get('failureReason')}"
            raise FailedBefore(f"ECR cannot show {which} of {repository}: {why}")
        missing.append(str(which))
    return list(answer.get("images") or ()), missing


def _manifest(aws: Aws, image: Image) -> dict[str, Any]:
    shown, _ = _batch_get(aws, image.repository, [{"imageDigest": image.digest}])
    if not shown:
        hint = Hint("build and push it again: ", command("deploy"))
        raise FailedBefore(f"{image.reference} is no longer in ECR", hint)
    return shown[0]


def _media_type(found: Mapping[str, Any]) -> str:
    named = found.get("imageManifestMediaType") or json.loads(found["imageManifest"]).get("mediaType")
    return str(named or _ACCEPTED[0])


def _image(found: Mapping[str, Any], repository: str, tag: str, uri: str) -> Image:
    manifest = json.loads(found["imageManifest"])
    digest = str(found["imageId"]["imageDigest"])
    if _media_type(found) in INDEXES:
        return Image(repository, uri, tag, digest, None, platforms_of_index(manifest))
    return Image(repository, uri, tag, digest, manifest.get("config", {}).get("digest"))


def missing_images(aws: Aws, repository: str, images: Sequence[str], account: str | None = None) -> list[str]:
    """Those of ``images`` (digests or tags) that ``repository`` does not hold; all, where it does not exist.

    ``account``: the registry's, where it may be another account's.
    """
    registry = {"registryId": account} if account else {}
    missing: list[str] = []
    for some in portions(images, _IMAGES_A_CALL):
        asked = [{"imageDigest" if image.startswith("sha256:") else "imageTag": image} for image in some]
        try:
            missing += _batch_get(aws, repository, asked, **registry)[1]
        except NoRepository:
            return list(images)
    return missing
