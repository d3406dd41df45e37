"""Releases by the hundred, from fixed seeds: how often is the verdict right? The whole table is in docs/judge.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.model.release import Verdict
from tests.benchmarks.judge_releases import CASES, Case
from tests.benchmarks.judge_table import row, simulate, within

RELEASES = 120
HELD = [case for case in CASES if case.most_wrong is not None]
DOCS = Path(__file__).parents[2] / "docs" / "judge.md"


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.parametrize("case", HELD, ids=lambda case: case.name)
def test_releases_of_this_kind_are_judged_within_their_limit(case: Case) -> None:
    judged = simulate(case, range(RELEASES))
    assert within(case, judged), row(case, judged)
    assert sum(each.verdict is case.right for each in judged) >= 0.98 * RELEASES, row(case, judged)


def test_a_regression_of_one_in_three_is_held_to_half_a_percent_whatever_noise_the_defaults_allow_for() -> None:
    """The limit that the docs promise stands in the table, so that nobody lifts it in passing."""
    limits = [case.most_wrong for case in CASES if case.name.startswith("one broken every third time")]
    assert limits == [0.005] * 3


def test_a_baseline_is_long_only_where_something_flickers() -> None:
    calm, noisy = (simulate(named(name), range(RELEASES)) for name in ("no failures", "1 % random failures"))
    assert {each.before for each in calm} == {2.5}
    assert max(each.before for each in noisy) <= 20
    assert sum(each.before for each in noisy) / RELEASES < 8


def test_an_endpoint_that_always_fails_is_found_within_half_a_minute() -> None:
    judged = simulate(named("one always broken"), range(RELEASES))
    assert max(each.seconds for each in judged) <= 30


def test_the_same_seed_gives_the_same_release() -> None:
    case = named("5 % random failures")
    assert simulate(case, range(20)) == simulate(case, range(20))
    assert simulate(case, range(20)) != simulate(case, range(20, 40))


def test_a_limit_that_is_missed_is_noticed() -> None:
    """The measure itself: a broken release that must be healthy is over the limit."""
    broken = replace(named("one always broken"), right=Verdict.HEALTHY, never=Verdict.UNHEALTHY)
    assert not within(broken, simulate(broken, range(20)))


def test_the_docs_show_every_kind_of_release_with_its_limit() -> None:
    shown = [line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert shown[1:] == [case.name for case in CASES]
