"""The request that creates a CloudFront distribution in front of the sandbox's load balancer."""

from __future__ import annotations

from typing import Any

from deploykit.sandbox.platform import Distribution

#: Header in which an origin names the cache tags of a response.
TAG_HEADER = "Cache-Tag"

ORIGIN = "load-balancer"
HTTP_ONLY = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}
DAY = 86400
YEAR = 31536000


def create(cloudfront: Any, distribution: Distribution, origin: str) -> None:
    """Create ``distribution`` with its configured id (server/corrections/cloudfront_given_ids.py) and ``origin``.

    Responses are cached as their Cache-Control says, or for a day without one. Paths of services that never invalidate
    the distribution are cached only if their Cache-Control says so, because nothing would ever invalidate them.
    """
    patterns = [_behavior(default_ttl=0, PathPattern=pattern) for pattern in distribution.uncached]
    config: dict[str, Any] = {
        "CallerReference": f"deploykit-id:{distribution.id}",
        "Comment": "deploykit sandbox",
        "Enabled": True,
        "Aliases": {"Quantity": len(distribution.names), "Items": list(distribution.names)},
        "Origins": {"Quantity": 1, "Items": [{"Id": ORIGIN, "DomainName": origin, "CustomOriginConfig": HTTP_ONLY}]},
        "DefaultCacheBehavior": _behavior(default_ttl=DAY),
        "CacheBehaviors": {"Quantity": len(patterns), "Items": patterns},
    }
    if distribution.tagged:
        config["CacheTagConfig"] = {"HeaderName": TAG_HEADER}
    cloudfront.create_distribution(DistributionConfig=config)


def _behavior(default_ttl: int, **more: str) -> dict[str, Any]:
    methods = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]
    cached = {"Quantity": 2, "Items": ["GET", "HEAD"]}
    return {
        "TargetOriginId": ORIGIN,
        "ViewerProtocolPolicy": "allow-all",
        "AllowedMethods": {"Quantity": len(methods), "Items": methods, "CachedMethods": cached},
        "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "all"}},
        "MinTTL": 0,
        "DefaultTTL": default_ttl,
        "MaxTTL": YEAR,
        **more,
    }
