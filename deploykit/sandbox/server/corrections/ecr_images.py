"""ECR returns the image that was requested, or an error when there is none.

Restores: DescribeImages of a missing image is ImageNotFoundException; sizes are the layers'; ListImages has one entry
for each tag; BatchGetImage names the requested tag; PutImage of the same manifest under the same tag is
ImageAlreadyExistsException, and a wrong imageDigest is ImageDigestDoesNotMatchException.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html
"""

from __future__ import annotations

import json
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import ecr

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (
    ("services.ecr", "_describe_images", "(data)"),
    ("services.ecr", "_list_images", "(data)"),
    ("services.ecr", "_batch_get_image", "(data)"),
    ("services.ecr", "_put_image", "(data)"),
    ("services.ecr", "_image_digest", "(manifest)"),
    ("services.ecr", "_images", "AccountRegionScopedDict"),
    ("services.ecr", "_repositories", "AccountRegionScopedDict"),
)
Record = dict[str, Any]


def install(parts: Parts) -> None:
    describe, batch_get, put, list_images = ecr._describe_images, ecr._batch_get_image, ecr._put_image, ecr._list_images

    def described(data: Record) -> Any:
        name = data.get("repositoryName") or ""
        for wanted in data.get("imageIds") or []:
            if name in ecr._repositories and not ecr._find_image(name, wanted):
                return error_response_json("ImageNotFoundException", _not_found(parts, name, wanted))
        status, headers, body = describe(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        for detail in answer["imageDetails"]:
            detail["imageSizeInBytes"] = _size(ecr._find_image(name, {"imageDigest": detail["imageDigest"]}))
            if not detail["imageTags"]:
                del detail["imageTags"]
        return json_response(answer)

    def listed(data: Record) -> Any:
        name = data.get("repositoryName") or ""
        if name not in ecr._repositories:
            return list_images(data)
        status = (data.get("filter") or {}).get("tagStatus") or "ANY"
        found = []
        for image in ecr._images.get(name, []):
            digest, tags = image["imageDigest"], image.get("imageTags") or []
            if tags and status in ("ANY", "TAGGED"):
                found += [{"imageDigest": digest, "imageTag": tag} for tag in tags]
            elif not tags and status in ("ANY", "UNTAGGED"):
                found.append({"imageDigest": digest})
        return json_response({"imageIds": found})

    def got(data: Record) -> Any:
        status, headers, body = batch_get(data)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        name = data.get("repositoryName") or ""
        asked = [i for i in data.get("imageIds") or [] if ecr._find_image(name, i)]
        for image, wanted in zip(answer["images"], asked, strict=True):
            image["imageId"] = {"imageDigest": image["imageId"]["imageDigest"]}
            if wanted.get("imageTag"):
                image["imageId"]["imageTag"] = wanted["imageTag"]
        return json_response(answer)

    def stored(data: Record) -> Any:
        name, tag = data.get("repositoryName") or "", data.get("imageTag")
        digest = ecr._image_digest(data.get("imageManifest") or "")
        if data.get("imageDigest") not in (None, digest):
            message = "The specified image digest does not match the manifest."
            return error_response_json("ImageDigestDoesNotMatchException", message)
        held = ecr._find_image(name, {"imageTag": tag}) if tag else None
        if held and held["imageDigest"] == digest:
            message = (
                f"Image with digest '{digest}' and tag '{tag}' already exists in the repository with name '{name}' in "
                f"registry with id '{parts.settings.account}'"
            )
            return error_response_json("ImageAlreadyExistsException", message)
        if held and ecr._repositories[name].get("imageTagMutability") == "IMMUTABLE":
            message = (
                f"The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because "
                "the repository is immutable."
            )
            return error_response_json("ImageTagAlreadyExistsException", message)
        return put(data)

    # Looked up by name inside MiniStack's handle_request.
    ecr._describe_images, ecr._list_images, ecr._batch_get_image, ecr._put_image = described, listed, got, stored


def _not_found(parts: Parts, name: str, wanted: Record) -> str:
    shown = f"{{imageDigest:'{wanted.get('imageDigest', 'null')}', imageTag:'{wanted.get('imageTag', 'null')}'}}"
    return (
        f"The image with imageId {shown} does not exist within the repository with name '{name}' in the registry with "
        f"id '{parts.settings.account}'"
    )


def _size(image: Record | None) -> int:
    """The image's compressed size: its configuration and layers, as the manifest has them (bytes)."""
    if not image:
        return 0
    try:
        manifest = json.loads(image.get("imageManifest") or "{}")
    except ValueError:
        return 0
    parts = [manifest.get("config") or {}, *(manifest.get("layers") or [])]
    return sum(int(part.get("size") or 0) for part in parts)
