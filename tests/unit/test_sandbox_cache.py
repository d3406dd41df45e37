"""The edge keeps what CloudFront keeps, as long as CloudFront keeps it."""

from __future__ import annotations

import email.utils

import pytest

from deploykit.sandbox.server.data_plane.cache import Behavior, CachedObject, EdgeCache, lifetime, pattern_of
from deploykit.sandbox.server.data_plane.messages import Response

NOW = 1_800_000_000.0
DAY = 86400.0


def _lifetime(status: int, behavior: Behavior | None = None, **headers: str) -> float:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return lifetime(Response(status, named), behavior or Behavior(), NOW)


@pytest.mark.parametrize(
    ("status", "cache_control", "seconds"),
    [
        (200, "", DAY),
        (200, "public", DAY),
        (200, "max-age=60", 60),
        (200, "max-age=60, s-maxage=5", 5),
        (200, "max-age=0", 0),
        (200, "no-store", 0),
        (200, "private, max-age=60", 0),
        (200, "no-cache", 0),
        (301, "", DAY),
        (404, "", 10),
        (404, "max-age=60", 60),
        (404, "max-age=1", 10),
        (404, "no-store", 0),
        (503, "no-store", 10),
        (500, "", 10),
        (403, "", 0),
        (403, "max-age=60", 60),
    ],
)
def test_an_answer_is_kept_as_its_status_and_cache_control_say(status: int, cache_control: str, seconds: float) -> None:
    assert _lifetime(status, Cache_Control=cache_control) == seconds


def test_expires_counts_where_cache_control_says_nothing() -> None:
    assert _lifetime(200, Expires=email.utils.formatdate(NOW + 30, usegmt=True)) == 30
    assert _lifetime(200, Expires=email.utils.formatdate(NOW - 30, usegmt=True)) == 0
    assert _lifetime(200, Expires="0") == 0


def test_a_behavior_bounds_what_the_origin_says() -> None:
    bounded = Behavior(minimum=1, default=20, maximum=100)
    assert _lifetime(200, bounded) == 20
    assert _lifetime(200, bounded, Cache_Control="max-age=500") == 100
    assert _lifetime(200, bounded, Cache_Control="no-store") == 1


def _kept(path: str, asked: float = 10, tags: frozenset[str] = frozenset()) -> CachedObject:
    return CachedObject(Response(200), path, asked, asked, asked + 100, tags)


def test_an_invalidation_takes_away_what_its_paths_name_and_nothing_else() -> None:
    cache = EdgeCache()
    for path in ("/", "/a", "/a?x=1", "/ab", "/b/c"):
        cache.store(("D1", path), _kept(path))
        cache.store(("D2", path), _kept(path))
    cache.empty("D1", ["/a*", "/"], now=20)
    left = [path for path in ("/", "/a", "/a?x=1", "/ab", "/b/c") if cache.find(("D1", path), 30)]
    assert left == ["/b/c"]
    assert cache.find(("D2", "/a"), 30)


def test_an_answer_asked_for_before_an_invalidation_is_not_kept_after_it() -> None:
    cache = EdgeCache()
    cache.empty("D1", ["/*"], now=20)
    cache.store(("D1", "/a"), _kept("/a", asked=19))
    assert cache.find(("D1", "/a"), 21) is None
    cache.store(("D1", "/a"), _kept("/a", asked=21))
    assert cache.find(("D1", "/a"), 22)


def test_a_cache_tag_takes_away_what_carries_it() -> None:
    cache = EdgeCache()
    cache.store(("D1", "/a"), _kept("/a", tags=frozenset({"menu"})))
    cache.store(("D1", "/b"), _kept("/b"))
    cache.empty("D1", ["#menu"], now=20)
    assert cache.find(("D1", "/a"), 21) is None
    assert cache.find(("D1", "/b"), 21)


def test_one_invalidation_can_be_told_to_have_no_effect() -> None:
    cache = EdgeCache(keep_next=1)
    cache.store(("D1", "/a"), _kept("/a"))
    cache.empty("D1", ["/*"], now=20)
    assert cache.find(("D1", "/a"), 21)
    cache.empty("D1", ["/*"], now=22)
    assert cache.find(("D1", "/a"), 23) is None


def test_a_star_stands_for_anything_at_the_end_only() -> None:
    assert pattern_of("/images/*").fullmatch("/images/a/b?c")
    assert not pattern_of("/images/*").fullmatch("/image")
    assert not pattern_of("/a.c").fullmatch("/abc")
