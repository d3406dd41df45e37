"""The platforms an image in ECR runs on: an index names them in its manifest, an image in its configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from deploykit.edges.aws.session import Aws, AwsUnreachable
from deploykit.model.release import Image

INDEXES = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
_PATIENCE = 20  # seconds to connect, and between two pieces of the answer


def platforms_of_index(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The platforms of an index's images, without attestations.

    https://github.com/opencontainers/image-spec/blob/main/image-index.md
    """
    named = [_platform(entry.get("platform") or {}) for entry in manifest.get("manifests") or ()]
    return tuple(dict.fromkeys(platform for platform in named if platform and not platform.startswith("unknown")))


def image_platforms(aws: Aws, image: Image) -> tuple[str, ...]:
    """What ``image`` runs on ("linux/amd64"); empty where it does not say. One call; none for an index.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html
    https://github.com/opencontainers/image-spec/blob/main/config.md
    """
    digest = image.config_digest
    if digest is None:
        return image.platforms
    answer = aws.call("ecr", "GetDownloadUrlForLayer", repositoryName=image.repository, layerDigest=digest)
    body = _download(str(answer["downloadUrl"]))
    if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
        raise AwsUnreachable(f"ECR returned something else than {digest} of {image.repository}")
    platform = _platform(json.loads(body))
    return (platform,) if platform else ()


def _platform(facts: Mapping[str, Any]) -> str:
    parts = (facts.get("os"), facts.get("architecture"), facts.get("variant"))
    return "/".join(str(part) for part in parts if part) if all(parts[:2]) else ""


def _download(url: str) -> bytes:
    """The body at a presigned address, through the proxies that boto3 would use."""
    host = url.partition("://")[2].partition("/")[0]
    try:
        session = URLLib3Session(proxies=get_environ_proxies(url), timeout=_PATIENCE)
        answer = session.send(AWSRequest("GET", url).prepare())
    except BotoCoreError as error:
        raise AwsUnreachable(f"{host} could not be reached: {error}", "check the network and proxies") from error
    if answer.status_code != 200:
        raise AwsUnreachable(f"{host} answered {answer.status_code}")
    return bytes(answer.content)
