"""A CloudFront distribution as the edge reads it, from the XML that MiniStack keeps."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, fromstring

from ministack.services import cloudfront

from deploykit.sandbox.server.data_plane.cache import Behavior


@dataclass(frozen=True)
class Distribution:
    """One distribution; ``behaviors``: path pattern, origin and cache settings, the default last."""

    id: str
    names: tuple[str, ...]
    behaviors: tuple[tuple[str, str, Behavior], ...]
    origins: dict[str, tuple[str, str]]
    tag_header: str

    def route(self, path: str) -> tuple[tuple[str, str], Behavior]:
        """``((origin's domain, origin's path), behavior)`` for a request path."""
        for pattern, origin, behavior in self.behaviors:
            if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path.lstrip("/"), pattern):
                return self.origins[origin], behavior
        raise LookupError(path)


_parsed: dict[str, tuple[str, Distribution]] = {}


def load(record: dict[str, Any]) -> Distribution:
    """Parse MiniStack's record of a distribution, once for each of its versions."""
    known = _parsed.get(record["Id"])
    if known and known[0] == record["ETag"]:
        return known[1]
    root = cloudfront._strip_namespace(fromstring(record["config_xml"]))  # noqa: S314 (from loopback)
    aliases = tuple(e.text or "" for e in root.findall("Aliases/Items/CNAME"))
    origins = {
        _text(o, "Id"): (_text(o, "DomainName"), _text(o, "OriginPath")) for o in root.findall("Origins/Items/Origin")
    }
    behaviors = [
        (_text(b, "PathPattern"), _text(b, "TargetOriginId"), _behavior(b))
        for b in root.findall("CacheBehaviors/Items/CacheBehavior")
    ]
    default = root.find("DefaultCacheBehavior")
    if default is not None:
        behaviors.append(("*", _text(default, "TargetOriginId"), _behavior(default)))
    tags = _text(root, "CacheTagConfig/HeaderName")
    found = Distribution(record["Id"], (record["DomainName"], *aliases), tuple(behaviors), origins, tags)
    _parsed[record["Id"]] = (record["ETag"], found)
    return found


def _behavior(element: Element) -> Behavior:
    policy = _text(element, "CachePolicyId")
    if policy:
        found = cloudfront._cache_policies.get(policy) or cloudfront._MANAGED_CACHE_POLICIES.get(policy) or {}
        config = found.get("Config") or {}
        strings = (config.get("Parameters") or {}).get("QueryStringBehavior", "none")
        in_key = strings != "none"
    else:
        config = {name: text for name in ("MinTTL", "DefaultTTL", "MaxTTL") if (text := _text(element, name))}
        in_key = _text(element, "ForwardedValues/QueryString") == "true"
    minimum, default = float(config.get("MinTTL") or 0), float(config.get("DefaultTTL", 86400))
    return Behavior(minimum, default, float(config.get("MaxTTL", 31536000)), in_key)


def _text(element: Element, path: str) -> str:
    return element.findtext(path) or ""
