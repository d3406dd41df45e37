"""A distribution can be created with the id that the configuration names, which the real account has.

This is not AWS's behaviour: CloudFront chooses ids itself. Here the caller reference ``deploykit-id:ID`` requests one,
so that a configuration works in the sandbox unchanged.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

from ministack.services import cloudfront

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (
    ("services.cloudfront", "_create_distribution", "(headers, body)"),
    ("services.cloudfront", "_dist_id", "() -> str"),
)
_ASKED = re.compile(rb"deploykit-id:([A-Z0-9]+)")
_wanted: ContextVar[str] = ContextVar("wanted", default="")


def install(_parts: Parts) -> None:
    create, choose = cloudfront._create_distribution, cloudfront._dist_id

    def created(headers: dict[str, str], body: bytes) -> Any:
        found = _ASKED.search(body or b"")
        before = _wanted.set(found[1].decode() if found else "")
        try:
            return create(headers, body)
        finally:
            _wanted.reset(before)

    cloudfront._create_distribution = created
    cloudfront._dist_id = lambda: _wanted.get() or choose()
