"""The names of images in ECR: this is the one place that makes and parses them. Pure.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploykit.edges.aws.partitions import dns_suffix

# 123456789012.dkr.ecr.us-east-1.amazonaws.com, or for IPv6 as well 123456789012.dkr-ecr.us-east-1.on.aws
_HOST = re.compile(r"(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")


@dataclass(frozen=True)
class Reference:
    """The parts of an image's name in ECR."""

    account: str | None  # None: in a registry that stands in for ECR
    region: str | None
    repository: str
    tag: str | None
    digest: str | None


def image_uri(account: str, region: str, repository: str, registry: str | None = None) -> str:
    """Where images of ``repository`` are, without a tag; ``registry`` stands in for ECR's own host."""
    return f"{registry or f'{account}.dkr.ecr.{region}.{dns_suffix(region)}'}/{repository}"


def parse_reference(image: str, registry: str | None = None) -> Reference | None:
    """The parts of an image's name; None where it is neither in ECR nor in ``registry``, which stands in for it."""
    host, _, rest = image.partition("/")
    found = _HOST.fullmatch(host)
    if registry and image.startswith(f"{registry}/"):
        rest = image.removeprefix(f"{registry}/")
    elif found is None:
        return None
    account, region = (found[1], found[2]) if found else (None, None)
    name, _, digest = rest.partition("@")
    repository, _, tag = name.partition(":")
    return Reference(account, region, repository, tag or None, digest or None) if repository else None
