"""CloudFront: invalidations, and the account's distributions.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploykit.edges.aws.session import Aws


@dataclass(frozen=True)
class Invalidation:
    """One invalidation; ``completed``: CloudFront says that every edge has dropped the paths."""

    id: str
    completed: bool


def create_invalidation(aws: Aws, distribution: str, paths: Sequence[str], reference: str) -> Invalidation:
    """Have ``paths`` dropped. The same reference with the same paths returns the first invalidation again.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
    Raises: AwsRefused (NoSuchDistribution, TooManyInvalidationsInProgress, InvalidArgument, …).
    """
    batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
    return _invalidation(
        aws.call("cloudfront", "CreateInvalidation", DistributionId=distribution, InvalidationBatch=batch)
    )


def get_invalidation(aws: Aws, distribution: str, identifier: str) -> Invalidation:
    """The invalidation's state now."""
    return _invalidation(aws.call("cloudfront", "GetInvalidation", DistributionId=distribution, Id=identifier))


@dataclass(frozen=True)
class Distribution:
    """One distribution, as ListDistributions describes it."""

    id: str
    domain: str  # "d111111abcdef8.cloudfront.net"
    aliases: tuple[str, ...]
    enabled: bool
    origins: tuple[str, ...]  # host names
    behaviours: tuple[tuple[str, str], ...]  # path pattern → origin's host name, in order; the default ("*") last

    def origin_of(self, path: str) -> str:
        """The host name that answers ``path``: that of the first pattern that matches.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html
        """
        return next((host for pattern, host in self.behaviours if matches(pattern.lstrip("/"), path.lstrip("/"))), "")


def list_distributions(aws: Aws) -> list[Distribution]:
    """Every distribution of the account.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ListDistributions.html
    """
    found: list[Distribution] = []
    more: dict[str, Any] = {}
    while True:
        answer = aws.call("cloudfront", "ListDistributions", **more)["DistributionList"]
        found += [_distribution(item) for item in answer.get("Items") or ()]
        if not answer.get("IsTruncated") or not answer.get("NextMarker"):
            return found
        more = {"Marker": answer["NextMarker"]}


def matches(pattern: str, path: str) -> bool:
    """Whether a path pattern of CloudFront or a load balancer matches: ``*`` is any text, ``?`` any character.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
    """
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch("".join(parts), path) is not None


def _invalidation(answer: Mapping[str, Any]) -> Invalidation:
    found = answer["Invalidation"]
    return Invalidation(found["Id"], found["Status"] == "Completed")


def _distribution(item: Mapping[str, Any]) -> Distribution:
    hosts = {origin["Id"]: str(origin["DomainName"]).lower() for origin in _items(item, "Origins")}
    for group in _items(item, "OriginGroups"):  # a behaviour may name a group, whose first member is asked first
        members = list(_items(group, "Members"))
        hosts[group["Id"]] = hosts.get(members[0]["OriginId"], "") if members else ""
    behaviours = [(b["PathPattern"], hosts.get(b["TargetOriginId"], "")) for b in _items(item, "CacheBehaviors")]
    default = (item.get("DefaultCacheBehavior") or {}).get("TargetOriginId", "")
    return Distribution(
        id=item["Id"],
        domain=item["DomainName"],
        aliases=tuple(_items(item, "Aliases")),
        enabled=bool(item.get("Enabled", True)),
        origins=tuple(dict.fromkeys(hosts.values())),
        behaviours=(*behaviours, ("*", hosts.get(default, ""))),
    )


def _items(item: Mapping[str, Any], name: str) -> Iterator[Any]:
    yield from (item.get(name) or {}).get("Items") or ()
