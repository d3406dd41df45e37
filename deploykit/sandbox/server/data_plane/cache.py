"""What the edge caches, for how long, and what an invalidation removes.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/custom-error-pages-expiration.html
"""

from __future__ import annotations

import email.utils
import re
import threading
from dataclasses import dataclass, field

from deploykit.sandbox.server.data_plane.messages import Response

#: The least time that an error is cached (seconds).
ERROR_SECONDS = 10.0

#: Errors that are always cached, and those of them that an origin can exclude with no-store, no-cache or private.
ALWAYS_KEPT = frozenset({404, 410, 414, 500, 501, 502, 503, 504})
REFUSABLE = frozenset({404, 410, 414, 501})

#: Statuses other than errors that may be cached.
STORABLE = frozenset({200, 203, 204, 206, 300, 301, 302, 304, 307, 308})

#: For so long an invalidation rejects late responses, which the origin was asked for before it (seconds).
REMEMBERED = 60.0


@dataclass(frozen=True)
class Behavior:
    """The cache settings of one path pattern, seconds; ``in_key``: the query string is part of the cache key."""

    minimum: float = 0.0
    default: float = 86400.0
    maximum: float = 31536000.0
    in_key: bool = True


def lifetime(answer: Response, behavior: Behavior, now: float) -> float:
    """Seconds that the edge may serve ``answer`` from its cache; 0: not cached. ``now`` is the wall clock."""
    directives = _directives(answer.header("Cache-Control"))
    given = _given(answer, directives, now)
    refused = bool({"no-store", "no-cache", "private"} & directives.keys())
    if answer.status >= 400:
        if answer.status not in ALWAYS_KEPT:
            return min(given, behavior.maximum) if given is not None and not refused else 0.0
        if refused and answer.status in REFUSABLE:
            return 0.0
        return max(ERROR_SECONDS, min(given or 0.0, behavior.maximum) if not refused else 0.0)
    if answer.status not in STORABLE:
        return 0.0
    if refused:
        return behavior.minimum
    if given is None:
        return max(behavior.minimum, min(behavior.default, behavior.maximum))
    return max(behavior.minimum, min(given, behavior.maximum))


def _given(answer: Response, directives: dict[str, str], now: float) -> float | None:
    """The seconds that the origin itself gives: s-maxage, else max-age, else Expires."""
    for name in ("s-maxage", "max-age"):
        if directives.get(name, "").isdigit():
            return float(directives[name])
    expires = answer.header("Expires")
    if not expires:
        return None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(expires).timestamp() - now)
    except ValueError:
        return 0.0


def _directives(value: str) -> dict[str, str]:
    parts = (part.strip().lower().partition("=") for part in value.split(",") if part.strip())
    return {name.strip(): argument.strip('" ') for name, _, argument in parts}


@dataclass
class CachedObject:
    """One object in the cache: when it was requested from the origin, when it was stored, when it expires."""

    answer: Response
    path: str
    asked: float
    stored: float
    ends: float
    tags: frozenset[str]

    def age(self, now: float) -> int:
        """The Age header of the object when it is served from the cache, seconds."""
        return max(0, int(now - self.stored))


@dataclass
class EdgeCache:
    """The objects of every distribution. ``keep_next`` makes that many invalidations complete without effect."""

    keep_next: int = 0
    _objects: dict[tuple[str, ...], CachedObject] = field(default_factory=dict)
    _emptied: list[tuple[float, str, re.Pattern[str]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: tuple[str, ...], now: float) -> CachedObject | None:
        """The object under ``key`` if it is still fresh at ``now``."""
        with self._lock:
            found = self._objects.get(key)
            return found if found and found.ends > now else None

    def store(self, key: tuple[str, ...], kept: CachedObject) -> None:
        """Cache an object of the distribution ``key[0]``, unless its path was invalidated after it was requested."""
        with self._lock:
            late = any(
                at >= kept.asked and distribution == key[0] and pattern.fullmatch(kept.path)
                for at, distribution, pattern in self._emptied
            )
            if not late:
                self._objects[key] = kept

    def empty(self, distribution: str, paths: list[str], now: float) -> None:
        """Remove what ``paths`` (or ``#tags``) of one distribution match, unless ``keep_next`` is set."""
        with self._lock:
            if self.keep_next:
                self.keep_next -= 1
                return
            patterns = [pattern_of(path) for path in paths if not path.startswith("#")]
            tags = frozenset(path[1:] for path in paths if path.startswith("#"))
            self._emptied = [e for e in self._emptied if e[0] > now - REMEMBERED]
            self._emptied += [(now, distribution, pattern) for pattern in patterns]
            self._objects = {
                key: kept
                for key, kept in self._objects.items()
                if key[0] != distribution or not (tags & kept.tags or any(p.fullmatch(kept.path) for p in patterns))
            }


def pattern_of(path: str) -> re.Pattern[str]:
    """An invalidation path as a pattern: a ``*`` at its end stands for anything, the query string included.

    Without one, it matches only the object of exactly this path and query string:
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
    """
    if path.endswith("*"):
        return re.compile(re.escape(path[:-1]) + ".*", re.DOTALL)
    return re.compile(re.escape(path))
