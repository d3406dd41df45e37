"""Which caches must be emptied, and what CloudFront would refuse."""

from __future__ import annotations

import pytest

from deploykit.config.schema import Cdn
from deploykit.errors import FailedBefore
from deploykit.model.plan import CdnInvalidation
from deploykit.targets.cdn.plan import needed, refuse_beyond_limits
from deploykit.targets.cdn.release import reference

CDN = {
    "site": Cdn(distribution="E1", paths=("/*",), after=("frontend",)),
    "all": Cdn(distribution="E2", paths=("/a", "#menu")),
}


def test_a_distribution_is_emptied_when_a_service_behind_it_changed() -> None:
    assert [item.cdn for item in needed(CDN, {"frontend"})] == ["site", "all"]
    assert [item.cdn for item in needed(CDN, {"backend"})] == ["all"]


def test_nothing_changed_empties_nothing() -> None:
    assert needed(CDN, set()) == ()


def refused(*paths: str) -> list[str]:
    try:
        refuse_beyond_limits([CdnInvalidation("site", "E1", paths)])
    except FailedBefore as error:
        return [problem.message for problem in error.problems]
    return []


def test_what_cloudfront_takes_is_let_through() -> None:
    assert refused("/*", "/", "/a%20b", "#menu", "#a" + "b" * 255) == []
    assert refused(*(f"/{n}" for n in range(3000))) == []


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (("index.html",), "must begin with /"),
        (("/a*b",), "not at its end"),
        (("/" + "a" * 4000,), "4001 characters"),
        (("#",), "1 to 256 visible"),
        (("#" + "a" * 257,), "1 to 256 visible"),
        (("#a,b",), "without comma"),
        (("#menü",), "visible ASCII"),
        (tuple(f"/{n}" for n in range(3001)), "3001 paths"),
        (tuple(f"/{n}/*" for n in range(16)), "16 paths end in *"),
    ],
)
def test_what_cloudfront_would_refuse_is_named_before_anything_is_sent(paths: tuple[str, ...], message: str) -> None:
    problems = refused(*paths)
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("[cdn.site]")


def test_a_repeated_run_has_the_same_reference_and_another_purpose_another() -> None:
    assert reference("R", "E1", "release", 1) == reference("R", "E1", "release", 1)
    different = {reference("R", "E1", p, n) for p in ("release", "undo", "stale") for n in (1, 2)}
    assert len(different) == 6
