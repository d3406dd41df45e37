"""The simulated ECR: repositories, images by tag and digest, immutability."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import AwsError

Json = dict[str, Any]
LAYERS = "/_layers/"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class Image:
    manifest: str
    media_type: str
    pushed_at: float
    tags: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.manifest.encode()).hexdigest()


@dataclass
class Repository:
    name: str
    immutable: bool
    created_at: float
    policy: str | None = None
    images: list[Image] = field(default_factory=list)

    def find(self, reference: Json) -> Image | None:
        for image in self.images:
            if reference.get("imageDigest") in (None, image.digest) and (
                reference.get("imageTag") is None or reference["imageTag"] in image.tags
            ):
                return image
        return None


class Ecr:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html"""

    def __init__(self, clock: VirtualClock, region: str, account: str) -> None:
        self.clock, self.region, self.account = clock, region, account
        self.repositories: dict[str, Repository] = {}
        self.blobs: dict[str, bytes] = {}  # images' configurations, as far as tests gave them
        self.base_url = ""  # where presigned addresses lead

    @property
    def host(self) -> str:
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"

    # -- for tests -------------------------------------------------------------------------------------------------

    def push(
        self, repository: str, tag: str | None, *, config_digest: str | None = None, platform: str = "linux/amd64"
    ) -> str:
        """Put an image there as ``docker push`` would, creating the repository; returns its manifest digest."""
        place = self.repositories.setdefault(repository, Repository(repository, True, self.clock.stamp))
        system, _, architecture = platform.partition("/")
        body = json.dumps({"os": system, "architecture": architecture, "comment": f"{repository}:{tag}"}).encode()
        config = config_digest or "sha256:" + hashlib.sha256(body).hexdigest()
        self.blobs.setdefault(config, body)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": config},
                "layers": [],
            }
        )
        return self._put(place, manifest, MANIFEST_TYPE, tag).digest

    def _put(self, place: Repository, manifest: str, media_type: str, tag: str | None) -> Image:
        image = Image(manifest, media_type, self.clock.stamp)
        known = place.find({"imageDigest": image.digest})
        holder = place.find({"imageTag": tag}) if tag else None
        if known is not None and (tag is None or holder is known):
            raise AwsError("ImageAlreadyExistsException", f"Image with digest '{image.digest}' already exists.")
        if holder is not None:
            if place.immutable:
                raise AwsError(
                    "ImageTagAlreadyExistsException",
                    f"The image tag '{tag}' already exists in the '{place.name}' repository and cannot be overwritten "
                    "because the repository is immutable.",
                )
            holder.tags.remove(str(tag))
        if known is None:
            known = image
            place.images.append(image)
        if tag:
            known.tags.append(tag)
        return known

    # -- calls -----------------------------------------------------------------------------------------------------

    def _repository(self, name: str) -> Repository:
        found = self.repositories.get(name)
        if found is None:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist in the registry with id '{self.account}'",
            )
        return found

    def _view(self, place: Repository) -> Json:
        return {
            "repositoryArn": f"arn:aws:ecr:{self.region}:{self.account}:repository/{place.name}",
            "registryId": self.account,
            "repositoryName": place.name,
            "repositoryUri": f"{self.host}/{place.name}",
            "createdAt": place.created_at,
            "imageTagMutability": "IMMUTABLE" if place.immutable else "MUTABLE",
        }

    def create_repository(self, p: Json) -> Json:
        name = p["repositoryName"]
        if name in self.repositories:
            raise AwsError("RepositoryAlreadyExistsException", f"The repository with name '{name}' already exists")
        place = Repository(name, p.get("imageTagMutability") == "IMMUTABLE", self.clock.stamp)
        self.repositories[name] = place
        return {"repository": self._view(place)}

    def describe_repositories(self, p: Json) -> Json:
        if p.get("repositoryNames"):
            return {"repositories": [self._view(self._repository(name)) for name in p["repositoryNames"]]}
        size, start = int(p.get("maxResults") or 100), int(p.get("nextToken") or 0)
        names = sorted(self.repositories)
        answer: Json = {"repositories": [self._view(self.repositories[name]) for name in names[start : start + size]]}
        if start + size < len(names):
            answer["nextToken"] = str(start + size)
        return answer

    def describe_images(self, p: Json) -> Json:
        place = self._repository(p["repositoryName"])
        wanted = p.get("imageIds")
        images = place.images
        if wanted:
            images = []
            for reference in wanted:
                image = place.find(reference)
                if image is None:
                    raise AwsError(
                        "ImageNotFoundException",
                        f"The image with imageId {{imageDigest:'{reference.get('imageDigest', 'null')}', "
                        f"imageTag:'{reference.get('imageTag', 'null')}'}} does not exist within the repository with "
                        f"name '{place.name}' in the registry with id '{self.account}'",
                    )
                images.append(image)
        details = [
            {
                "registryId": self.account,
                "repositoryName": place.name,
                "imageDigest": image.digest,
                "imageTags": image.tags,
                "imageSizeInBytes": 12_345_678,
                "imagePushedAt": image.pushed_at,
                "imageManifestMediaType": image.media_type,
            }
            for image in images
        ]
        return {"imageDetails": details}

    def batch_get_image(self, p: Json) -> Json:
        place = self._repository(p["repositoryName"])
        images, failures = [], []
        for reference in p["imageIds"]:
            image = place.find(reference)
            if image is None:
                text = "Requested image not found"
                failures.append({"imageId": reference, "failureCode": "ImageNotFound", "failureReason": text})
                continue
            tag = {"imageTag": reference["imageTag"]} if "imageTag" in reference else {}
            images.append(
                {
                    "registryId": self.account,
                    "repositoryName": place.name,
                    "imageId": {"imageDigest": image.digest, **tag},
                    "imageManifest": image.manifest,
                    "imageManifestMediaType": image.media_type,
                }
            )
        return {"images": images, "failures": failures}

    def put_image(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html"""
        place = self._repository(p["repositoryName"])
        digest = "sha256:" + hashlib.sha256(p["imageManifest"].encode()).hexdigest()
        if p.get("imageDigest") not in (None, digest):
            raise AwsError("ImageDigestDoesNotMatchException", "The specified image digest does not match the digest.")
        kind = p.get("imageManifestMediaType") or json.loads(p["imageManifest"]).get("mediaType", MANIFEST_TYPE)
        image = self._put(place, p["imageManifest"], kind, p.get("imageTag"))
        tag = {"imageTag": p["imageTag"]} if p.get("imageTag") else {}
        view = {
            "registryId": self.account,
            "repositoryName": place.name,
            "imageId": {"imageDigest": image.digest, **tag},
            "imageManifest": image.manifest,
            "imageManifestMediaType": image.media_type,
        }
        return {"image": view}

    def batch_delete_image(self, p: Json) -> Json:
        place = self._repository(p["repositoryName"])
        gone, failures = [], []
        for reference in p["imageIds"]:
            image = place.find(reference)
            if image is None:
                text = "Requested image not found"
                failures.append({"imageId": reference, "failureCode": "ImageNotFound", "failureReason": text})
                continue
            gone.append({"imageDigest": image.digest, **reference})
            if reference.get("imageTag") and not reference.get("imageDigest"):
                image.tags.remove(reference["imageTag"])
            if reference.get("imageDigest") or not image.tags:
                place.images.remove(image)
        return {"imageIds": gone, "failures": failures}

    def get_download_url_for_layer(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html"""
        self._repository(p["repositoryName"])
        digest = p["layerDigest"]
        if digest not in self.blobs:
            raise AwsError("LayersNotFoundException", f"Layer with digest '{digest}' not found")
        return {"downloadUrl": f"{self.base_url}{LAYERS}{digest}?X-Amz-Signature=simulated", "layerDigest": digest}

    def download(self, path: str) -> bytes | None:
        """What a presigned address leads to; None for any other path."""
        return self.blobs.get(path.removeprefix(LAYERS)) if path.startswith(LAYERS) else None

    def get_repository_policy(self, p: Json) -> Json:
        """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRepositoryPolicy.html"""
        place = self._repository(p["repositoryName"])
        if place.policy is None:
            raise AwsError(
                "RepositoryPolicyNotFoundException",
                f"Repository policy does not exist for the repository with name '{place.name}' in the registry with "
                f"id '{self.account}'",
            )
        return {"registryId": self.account, "repositoryName": place.name, "policyText": place.policy}

    def set_repository_policy(self, p: Json) -> Json:
        self._repository(p["repositoryName"]).policy = p["policyText"]
        return self.get_repository_policy(p)

    def delete_repository_policy(self, p: Json) -> Json:
        found = self.get_repository_policy(p)
        self._repository(p["repositoryName"]).policy = None
        return found

    def get_authorization_token(self, p: Json) -> Json:
        token = base64.b64encode(b"AWS:simulated").decode()
        expires = self.clock.stamp + 12 * 3600
        endpoint = f"https://{self.host}"
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": endpoint}]}
