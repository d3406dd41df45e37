"""An invalidation empties the edge's cache, takes a moment, and is refused where CloudFront refuses it.

Restores: InProgress for about a second, then Completed; paths begin with a slash; 3,000 paths and 15 wildcards in
progress at most; quantity and paths agree; a caller reference with the same paths returns the first invalidation.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-invalidations
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

from __future__ import annotations

import time
from typing import Any

from ministack.services import cloudfront

from deploykit.sandbox.server.corrections.parts import Parts
from deploykit.sandbox.server.data_plane import distribution as distributions

REQUIRES = (
    ("services.cloudfront", "_create_invalidation", "(dist_id, body)"),
    ("services.cloudfront", "_get_invalidation", "(dist_id, inv_id)"),
    ("services.cloudfront", "_list_invalidations", "(dist_id)"),
    ("services.cloudfront", "_invalidations", "AccountScopedDict"),
    ("services.cloudfront", "_parse_body", "(body: bytes)"),
    ("services.cloudfront", "_find", "(el, tag)"),
    ("services.cloudfront", "_text", "(el, tag, default='')"),
    ("services.cloudfront", "_error", "(code: str, message, status: int) -> tuple"),
)
IN_PROGRESS_SECONDS = 1.0
MOST_PATHS = 3000
MOST_WILDCARDS = 15


def install(parts: Parts) -> None:
    create, get = cloudfront._create_invalidation, cloudfront._get_invalidation
    list_all = cloudfront._list_invalidations

    def created(distribution: str, body: bytes) -> Any:
        known = cloudfront._distributions.get(distribution)
        quantity, paths = _paths(body)
        if known is not None and (refusal := _refusal(distribution, known, quantity, paths)):
            return refusal
        before = len(cloudfront._invalidations.get(distribution) or [])
        status, headers, text = create(distribution, body)
        made = (cloudfront._invalidations.get(distribution) or [])[before:]
        for invalidation in made:
            invalidation.update(Status="InProgress", _ends=time.monotonic() + IN_PROGRESS_SECONDS)
            parts.cache.empty(distribution, paths, time.time())
            plain = text if isinstance(text, bytes) else text.encode()
            text = plain.replace(b"<Status>Completed<", b"<Status>InProgress<")
        return status, headers, text

    def settle(distribution: str) -> None:
        for invalidation in cloudfront._invalidations.get(distribution) or []:
            if time.monotonic() >= invalidation.get("_ends", 0.0):
                invalidation["Status"] = "Completed"

    def got(distribution: str, invalidation: str) -> Any:
        settle(distribution)
        return get(distribution, invalidation)

    def listed(distribution: str) -> Any:
        settle(distribution)
        return list_all(distribution)

    cloudfront._create_invalidation = created
    cloudfront._get_invalidation = got
    cloudfront._list_invalidations = listed


def _paths(body: bytes) -> tuple[str, list[str]]:
    """The quantity that the request gives, and its paths."""
    batch = cloudfront._parse_body(body)
    paths = cloudfront._find(batch, "Paths") if batch is not None else None
    items = cloudfront._find(paths, "Items") if paths is not None else None
    quantity = cloudfront._text(paths, "Quantity", "0") if paths is not None else "0"
    return quantity, [item.text or "" for item in items] if items is not None else []


def _refusal(distribution: str, known: dict[str, Any], quantity: str, paths: list[str]) -> Any:
    if quantity != str(len(paths)):
        text = "The value of Quantity and the size of Items don't match."
        return cloudfront._error("InconsistentQuantities", text, 400)
    tags = distributions.load(known).tag_header
    wrong = [p for p in paths if not p.startswith("/") and not (tags and p.startswith("#") and "*" not in p)]
    if not paths or wrong or any(" " in p for p in paths):
        text = "Your request contains one or more invalid invalidation paths."
        return cloudfront._error("InvalidArgument", text, 400)
    now = time.monotonic()
    going = [i for i in cloudfront._invalidations.get(distribution) or [] if i.get("_ends", 0.0) > now]
    under_way = [p for i in going for p in i["InvalidationBatch"]["Paths"]["Items"]] + paths
    if len(under_way) > MOST_PATHS or sum(p.endswith("*") for p in under_way) > MOST_WILDCARDS:
        text = "Processing your request will cause you to exceed the maximum number of in-progress invalidations."
        return cloudfront._error("TooManyInvalidationsInProgress", text, 400)
    return None
