"""Which AWS operation a request is, as ``service:Operation``: for the log of calls and for injected faults."""

from __future__ import annotations

import functools
import re
from typing import Any
from urllib.parse import parse_qs

import botocore.session

_SCOPE = re.compile(r"Credential=([^/,]+)/[^/]+/[^/]+/([^/]+)/")
_PLACE = re.compile(r"\{[^}]+\}")

#: ``(method, names a key, query parameter)`` → operation, for S3; the first that fits.
_S3 = (
    ("GET", False, "list-type", "ListObjectsV2"),
    ("GET", False, "location", "GetBucketLocation"),
    ("PUT", False, "", "CreateBucket"),
    ("HEAD", False, "", "HeadBucket"),
    ("DELETE", False, "", "DeleteBucket"),
    ("GET", False, "", "ListObjects"),
    ("GET", True, "", "GetObject"),
    ("PUT", True, "", "PutObject"),
    ("HEAD", True, "", "HeadObject"),
    ("DELETE", True, "", "DeleteObject"),
)

#: Signing names that differ from the IAM prefix, which people know.
_PREFIX = {"monitoring": "cloudwatch", "tagging": "tag"}


def signer(headers: dict[str, str]) -> tuple[str, str]:
    """``(access key id, service)`` of a signed request, empty when it is not signed."""
    found = _SCOPE.search(headers.get("authorization", ""))
    return (found[1], found[2]) if found else ("", "")


def operation(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> str:
    """``ecs:UpdateService`` and the like; ``service:METHOD`` where the operation is not known, empty when unsigned."""
    _, service = signer(headers)
    if not service:
        return ""
    name = _PREFIX.get(service, service)
    if target := headers.get("x-amz-target"):
        return f"{name}:{target.rpartition('.')[2]}"
    if service == "s3":
        return f"s3:{_s3(method, path, query)}"
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        return f"{name}:{action or method}"
    return f"{name}:{_rest(service, method, path)}"


def _s3(method: str, path: str, query: str) -> str:
    has_key = bool(path.strip("/").partition("/")[2])
    names = parse_qs(query, keep_blank_values=True)
    for asked, key, parameter, found in _S3:
        if asked == method and key == has_key and (not parameter or parameter in names):
            return found
    return method


def _rest(service: str, method: str, path: str) -> str:
    for asked, pattern, found in _routes(service):
        if asked == method and pattern.fullmatch(path.rstrip("/")):
            return found
    return method


@functools.cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """The routes of a REST service from botocore's own model of it, the most specific first."""
    try:
        model: Any = botocore.session.get_session().get_service_model(service)
    except Exception:  # noqa: BLE001 (a signing name for which botocore has no model)
        return []
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = "".join(
            "[^/]+" if _PLACE.fullmatch(part) else re.escape(part) for part in re.split(r"(\{[^}]+\})", uri)
        )
        found.append((http["method"], re.compile(pattern), re.sub(r"\d{4}_\d{2}_\d{2}$", "", name)))
    return found
