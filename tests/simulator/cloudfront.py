"""The simulated CloudFront: distributions that exist, and invalidations with their rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import AwsError
from tests.simulator.protocol import Request, Response, decode_payload, encode_payload

Json = dict[str, Any]
API = "/2020-05-31/distribution/"
PATHS_IN_PROGRESS = 3000
WILDCARDS_IN_PROGRESS = 15
"""https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"""


@dataclass
class Invalidation:
    id: str
    reference: str
    paths: list[str]
    created: float
    status: str = "InProgress"


@dataclass
class Distribution:
    id: str
    aliases: list[str]
    cache_tags: bool
    invalidations: list[Invalidation] = field(default_factory=list)
    config: Json = field(default_factory=dict)


class CloudFront:
    """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Operations.html"""

    def __init__(self, clock: VirtualClock, account: str) -> None:
        self.clock, self.account = clock, account
        self.distributions: dict[str, Distribution] = {}
        self.seconds = 60.0
        """How long an invalidation stays InProgress."""

    def add(self, distribution: str, aliases: tuple[str, ...] = (), *, cache_tags: bool = False) -> None:
        """For tests: a distribution with this id exists."""
        self.distributions[distribution] = Distribution(distribution, list(aliases), cache_tags)

    def operation(self, request: Request) -> str:
        if request.path == API.rstrip("/"):
            return "CreateDistribution" if request.method == "POST" else "ListDistributions"
        parts = request.path.removeprefix(API).split("/")
        if len(parts) == 1:
            return "GetDistribution"
        if len(parts) == 2 and parts[1] == "config":
            return "GetDistributionConfig"
        if len(parts) == 2:
            return "CreateInvalidation" if request.method == "POST" else "ListInvalidations"
        return "GetInvalidation"

    def call(self, operation: str, request: Request) -> Response:
        if operation == "CreateDistribution":
            return self._create_distribution(decode_payload("cloudfront", operation, request.body))
        if operation == "ListDistributions":
            return self._list_distributions(request.query)
        parts = request.path.removeprefix(API).split("/")
        place = self.distributions.get(parts[0])
        if place is None:
            raise AwsError("NoSuchDistribution", "The specified distribution does not exist.", 404)
        if operation == "CreateInvalidation":
            found = self._create(place, request.body)
            return encode_payload("cloudfront", operation, self._view(found), 201)
        if operation == "GetInvalidation":
            known = next((i for i in place.invalidations if i.id == parts[2]), None)
            if known is None:
                raise AwsError("NoSuchInvalidation", "The specified invalidation does not exist.", 404)
            return encode_payload("cloudfront", operation, self._view(known), 200)
        if operation == "ListInvalidations":
            return self._list(place, request.query)
        return self._distribution(operation, place)

    def _create(self, place: Distribution, body: bytes) -> Invalidation:
        tree = ElementTree.fromstring(body)
        space = tree.tag.partition("}")[0] + "}" if tree.tag.startswith("{") else ""
        paths = [item.text or "" for item in tree.iter(f"{space}Path")]
        reference = tree.findtext(f"{space}CallerReference") or ""
        quantity = int(tree.findtext(f"{space}Paths/{space}Quantity") or 0)
        if quantity != len(paths):
            raise AwsError("InconsistentQuantities", "The value of Quantity and the size of Items don't match.")
        if not paths:
            raise AwsError("InvalidArgument", "Your request must contain at least one path.")
        for path in paths:
            self._check(place, path)
        for known in place.invalidations:
            if known.reference == reference:
                # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_InvalidationBatch.html
                if known.paths == paths:
                    return known
                raise AwsError(
                    "InvalidationBatchAlreadyExists", "The caller reference that you are using is already in use."
                )
        running = [path for i in place.invalidations if i.status == "InProgress" for path in i.paths]
        plain = [path for path in running + paths if not path.endswith("*")]
        if len(paths) > PATHS_IN_PROGRESS:
            raise AwsError("BatchTooLarge", "Your request contains more paths than one batch may have.", 413)
        if len(plain) > PATHS_IN_PROGRESS or len(running + paths) - len(plain) > WILDCARDS_IN_PROGRESS:
            raise AwsError("TooManyInvalidationsInProgress", "Processing your request would exceed the limit.")
        total = sum(len(d.invalidations) for d in self.distributions.values()) + 1
        found = Invalidation(f"I{total:013d}", reference, paths, self.clock.stamp)
        place.invalidations.insert(0, found)
        self.clock.after(self.seconds, lambda: setattr(found, "status", "Completed"))
        return found

    def _check(self, place: Distribution, path: str) -> None:
        """https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation_Requests.html"""
        if path.startswith("#"):
            if not place.cache_tags or not re.fullmatch(r"#[!-+\--~]{1,256}", path) or "*" in path:
                raise AwsError("InvalidArgument", f"Your request contains an invalid cache tag: {path}")
        elif not path.startswith("/") or "*" in path[:-1]:
            raise AwsError("InvalidArgument", "Your request contains one or more invalid invalidation paths.")

    def _view(self, found: Invalidation) -> Json:
        return {
            "Id": found.id,
            "Status": found.status,
            "CreateTime": found.created,
            "InvalidationBatch": {
                "Paths": {"Quantity": len(found.paths), "Items": found.paths},
                "CallerReference": found.reference,
            },
        }

    def _list(self, place: Distribution, query: dict[str, str]) -> Response:
        size, after = int(query.get("MaxItems", "100")), query.get("Marker", "")
        ids = [i.id for i in place.invalidations]
        start = ids.index(after) + 1 if after in ids else 0
        shown = place.invalidations[start : start + size]
        more = start + size < len(ids)
        answer: Json = {
            "Marker": after,
            "MaxItems": size,
            "IsTruncated": more,
            "Quantity": len(shown),
            "Items": [{"Id": i.id, "CreateTime": i.created, "Status": i.status} for i in shown],
        }
        if more:
            answer["NextMarker"] = shown[-1].id
        return encode_payload("cloudfront", "ListInvalidations", answer, 200)

    def _create_distribution(self, config: Json) -> Response:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html"""
        aliases = config.get("Aliases", {}).get("Items", [])
        taken = {alias for known in self.distributions.values() for alias in known.aliases}
        if taken & set(aliases):
            raise AwsError("CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated.", 409)
        place = Distribution(f"E{len(self.distributions) + 1:013d}", aliases, "CacheTagConfig" in config, config=config)
        self.distributions[place.id] = place
        return self._distribution("CreateDistribution", place)

    def _list_distributions(self, query: dict[str, str]) -> Response:
        size, after = int(query.get("MaxItems", "100")), query.get("Marker", "")
        ids = list(self.distributions)
        start = ids.index(after) + 1 if after in ids else 0
        shown = ids[start : start + size]
        more = start + size < len(ids)
        answer: Json = {
            "Marker": after,
            "MaxItems": size,
            "IsTruncated": more,
            "Quantity": len(shown),
            "Items": [self._summary(self.distributions[name]) for name in shown],
        }
        if more:
            answer["NextMarker"] = shown[-1]
        return encode_payload("cloudfront", "ListDistributions", answer, 200)

    def _summary(self, place: Distribution) -> Json:
        """https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionSummary.html"""
        nothing: Json = {"Quantity": 0}
        kept = ("Origins", "OriginGroups", "CacheBehaviors")
        return {
            "Id": place.id,
            "ARN": f"arn:aws:cloudfront::{self.account}:distribution/{place.id}",
            "Status": "Deployed",
            "LastModifiedTime": self.clock.stamp,
            "DomainName": f"{place.id.lower()}.cloudfront.net",
            "Aliases": {"Quantity": len(place.aliases), "Items": place.aliases},
            **{key: place.config.get(key, nothing) for key in kept},
            "DefaultCacheBehavior": place.config.get("DefaultCacheBehavior", {"TargetOriginId": ""}),
            "Comment": place.config.get("Comment", "simulated"),
            "Enabled": place.config.get("Enabled", True),
        }

    def _distribution(self, operation: str, place: Distribution) -> Response:
        config = place.config or {
            "CallerReference": place.id,
            "Aliases": {"Quantity": len(place.aliases), "Items": place.aliases},
            "Comment": "simulated",
            "Enabled": True,
        }
        if operation == "GetDistributionConfig":
            answer = encode_payload("cloudfront", operation, config, 200)
        else:
            view = {
                "Id": place.id,
                "ARN": f"arn:aws:cloudfront::{self.account}:distribution/{place.id}",
                "Status": "Deployed",
                "LastModifiedTime": self.clock.stamp,
                "InProgressInvalidationBatches": sum(i.status == "InProgress" for i in place.invalidations),
                "DomainName": f"{place.id.lower()}.cloudfront.net",
                "DistributionConfig": config,
            }
            answer = encode_payload("cloudfront", operation, view, 201 if operation == "CreateDistribution" else 200)
        answer.headers["ETag"] = "E1"
        return answer
