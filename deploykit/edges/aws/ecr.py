"""The container registry: repositories, images by tag, the login of a push."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.errors import FailedBefore
from deploykit.model.release import Image

_INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
# All of them: without, ECR translates the manifest or leaves the image out.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html
_ACCEPTED = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    *_INDEXES,
)
# https://docs.aws.amazon.com/general/latest/gr/ecr.html
_SUFFIXES = {"cn-": "amazonaws.com.cn", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov"}
_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")  # 123456789012.dkr.ecr.us-east-1.…
_IMAGES_A_CALL = 100  # BatchGetImage takes no more
_TAKEN = ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException")


@dataclass(frozen=True)
class Login:
    """What a push logs in with, good for twelve hours. The password never shows in a ``repr``."""

    username: str
    password: str = field(repr=False)
    endpoint: str  # "https://108581769167.dkr.ecr.us-east-1.amazonaws.com"


def image_uri(account: str, region: str, repository: str, registry: str | None = None) -> str:
    """Where images of ``repository`` are, without a tag; ``registry`` stands in for ECR's own host."""
    suffix = next((text for prefix, text in _SUFFIXES.items() if region.startswith(prefix)), "amazonaws.com")
    return f"{registry or f'{account}.dkr.ecr.{region}.{suffix}'}/{repository}"


@dataclass(frozen=True)
class Reference:
    """An image's name in ECR, taken apart."""

    account: str | None  # None: a registry that only stands in for ECR
    region: str | None
    repository: str
    tag: str | None
    digest: str | None


def parse_reference(image: str, registry: str | None = None) -> Reference | None:
    """The parts of an image's name; None where it is in another registry than ECR (and ``registry``, its stand-in).

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
    """
    host, _, rest = image.partition("/")
    account = region = None
    if registry and image.startswith(f"{registry}/"):
        rest = image.removeprefix(f"{registry}/")
    elif found := _HOST.fullmatch(host):
        account, region = found[1], found[2]
    else:
        return None
    name, _, digest = rest.partition("@")
    repository, _, tag = name.partition(":")
    return Reference(account, region, repository, tag or None, digest or None) if repository else None


def list_repositories(aws: Aws) -> list[str]:
    """The names of the region's repositories.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html
    Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    return [str(item["repositoryName"]) for item in aws.pages("ecr", "DescribeRepositories", "repositories")]


def missing_repository(name: str, region: str) -> FailedBefore:
    """The error of a repository that does not exist."""
    return FailedBefore(
        f"the ECR repository {name} does not exist in {region}",
        "create it (or mend `repository` in deploykit.toml): "
        f"`aws ecr create-repository --repository-name {name} --image-tag-mutability IMMUTABLE --region {region}`",
    )


def find_image(aws: Aws, repository: str, tag: str, uri: str) -> Image | None:
    """The image under ``tag``; None where there is none. ``config_digest`` is None for an index of images.

    Raises: FailedBefore (no such repository), NotAllowed, AwsUnreachable.
    """
    found = _manifest(aws, repository, {"imageTag": tag})
    return _image(found, repository, tag, uri) if found else None


def find_images(aws: Aws, repository: str, tags: Sequence[str], uri: str) -> dict[str, Image]:
    """Those of ``tags`` that exist, in one call. Raises: FailedBefore (no such repository), NotAllowed."""
    asked = [{"imageTag": tag} for tag in tags]
    try:
        answer = aws.call(
            "ecr",
            "BatchGetImage",
            repositoryName=repository,
            imageIds=asked,
            acceptedMediaTypes=list(_ACCEPTED),
        )
    except AwsRefused as error:
        raise _in_our_words(error, repository, aws.region) from error
    shown = {str(image["imageId"].get("imageTag")): image for image in answer.get("images") or ()}
    missing = {str(failure["imageId"].get("imageTag")) for failure in answer.get("failures") or ()}
    found = {tag: _image(shown[tag], repository, tag, uri) for tag in tags if tag in shown}
    # an image with several of the tags may be shown once only
    for tag in tags:
        if tag not in shown and tag not in missing and (image := find_image(aws, repository, tag, uri)):
            found[tag] = image
    return found


def tags_beside(aws: Aws, repository: str, tag: str) -> list[str]:
    """Every tag of the image that ``tag`` names.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
    """
    answer = aws.call("ecr", "DescribeImages", repositoryName=repository, imageIds=[{"imageTag": tag}])
    return [str(other) for detail in answer["imageDetails"] for other in detail.get("imageTags") or ()]


def retag(aws: Aws, image: Image, tag: str) -> Image:
    """Give ``image`` one more tag. Repeating it is no error; a tag that another image holds for good is.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
    Raises: FailedBefore (no such repository or image; an immutable tag that is another image's).
    """
    found = _manifest(aws, image.repository, {"imageDigest": image.digest})
    if found is None:
        raise FailedBefore(f"{image.reference} is no longer in ECR", "build and push it again: `deploykit deploy`")
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
        # Either code means "already there", also for this very image: what counts is whose the tag is.
        # https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
        if error.error not in _TAKEN:
            raise
        holder = find_image(aws, image.repository, tag, image.uri)
        if holder is None or holder.digest != image.digest:
            owner = holder.digest if holder else "another image"
            raise FailedBefore(
                f"the tag {tag} of {image.repository} belongs to {owner}, and the repository is immutable",
                "commit again for a SHA of its own, or delete that image from ECR",
            ) from error
    return _image(found, image.repository, tag, image.uri)


def login(aws: Aws) -> Login:
    """A user name and password for ``docker push``.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
    """
    granted = aws.call("ecr", "GetAuthorizationToken")["authorizationData"][0]
    username, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    return Login(username, password, str(granted["proxyEndpoint"]))


def _manifest(aws: Aws, repository: str, identifier: Mapping[str, str]) -> dict[str, Any] | None:
    asked: dict[str, Any] = {"repositoryName": repository, "imageIds": [dict(identifier)]}
    try:
        answer = aws.call("ecr", "BatchGetImage", acceptedMediaTypes=list(_ACCEPTED), **asked)
    except AwsRefused as error:
        raise _in_our_words(error, repository, aws.region) from error
    images = answer.get("images") or []
    if images:
        found: dict[str, Any] = images[0]
        return found
    for failure in answer.get("failures") or []:
        if failure.get("failureCode") != "ImageNotFound":
            text = f"{failure.get('failureCode')}: {failure.get('failureReason')}"
            raise FailedBefore(f"ECR cannot show {repository} {dict(identifier)}: {text}")
    return None


def _in_our_words(error: AwsRefused, repository: str, region: str) -> FailedBefore:
    return missing_repository(repository, region) if error.error == "RepositoryNotFoundException" else error


def _media_type(found: Mapping[str, Any]) -> str:
    return str(
        found.get("imageManifestMediaType") or json.loads(found["imageManifest"]).get("mediaType") or _ACCEPTED[0]
    )


def _image(found: Mapping[str, Any], repository: str, tag: str, uri: str) -> Image:
    config = None
    if _media_type(found) not in _INDEXES:
        config = json.loads(found["imageManifest"]).get("config", {}).get("digest")
    return Image(repository, uri, tag, str(found["imageId"]["imageDigest"]), config)


def missing_images(aws: Aws, repository: str, images: Sequence[str], account: str | None = None) -> list[str]:
    """Those of ``images`` (digests or tags) that ``repository`` does not hold; all, where it does not exist.

    ``account``: the registry's, where it may be another's. Raises: NotAllowed, AwsUnreachable, AwsRefused.
    """
    registry: dict[str, Any] = {"registryId": account} if account else {}
    missing: list[str] = []
    for start in range(0, len(images), _IMAGES_A_CALL):
        some = images[start : start + _IMAGES_A_CALL]
        asked = [{"imageDigest" if image.startswith("sha256:") else "imageTag": image} for image in some]
        try:
            answer = aws.call(
                "ecr",
                "BatchGetImage",
                repositoryName=repository,
                imageIds=asked,
                acceptedMediaTypes=list(_ACCEPTED),
                **registry,
            )
        except AwsRefused as error:
            if error.error != "RepositoryNotFoundException":
                raise
            return list(images)
        gone = [failure["imageId"] for failure in answer.get("failures") or ()]
        missing += [item.get("imageDigest") or item.get("imageTag", "") for item in gone]
    return missing
