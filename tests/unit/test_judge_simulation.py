"""Releases by the hundred, from fixed seeds: how often is the verdict right? The whole table is in docs/judge.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.model.release import Verdict
from tests.benchmarks.judge_releases import CASES, Case
from tests.benchmarks.judge_table import row, simulate, within, wrong

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


def test_a_regression_that_hides_behind_chance_is_still_mostly_found() -> None:
    judged = simulate(named("one broken every third time, 1 % random failures"), range(RELEASES))
    assert wrong(named("one broken every third time, 1 % random failures"), judged) < 0.2 * RELEASES


def test_an_endpoint_that_always_fails_is_found_within_half_a_minute() -> None:
    judged = simulate(named("one always broken"), range(RELEASES))
    assert max(each.seconds for each in judged) <= 30


def test_the_same_seed_gives_the_same_release() -> None:
    case = named("5 % random failures")
    assert simulate(case, range(20)) == simulate(case, range(20))
    assert simulate(case, range(20)) != simulate(case, range(20, 40))


def test_a_limit_that_is_missed_is_noticed() -> None:
    """The measure itself: a release that is broken, and held to being healthy, is over the limit."""
    broken = replace(named("one always broken"), right=Verdict.HEALTHY, never=Verdict.UNHEALTHY)
    assert not within(broken, simulate(broken, range(20)))


def test_the_docs_show_every_kind_of_release_with_its_limit() -> None:
    shown = [line.split("|")[1].strip() for line in DOCS.read_text().splitlines() if line.startswith("| ")]
    assert shown[1:] == [case.name for case in CASES]
