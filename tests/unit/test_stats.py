"""The four measures: what counts, what does not, and nothing out of too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import SystemClock
from deploykit.edges.world import World
from deploykit.ledger.journal import new_entry
from deploykit.ledger.stats import FEW, delivery_stats
from deploykit.model.ledger import LedgerEntry
from deploykit.model.plan import Plan
from deploykit.model.probe import EndpointClass, EndpointResult, Samples
from deploykit.model.progress import Silent
from deploykit.model.release import Commit, Outcome, Verdict
from deploykit.model.stats import DeliveryStats
from tests.unit.ledger_kit import entry, newest_first, rolled_back

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = 86400.0
WINDOW = 90 * DAY


def stamp(seconds_ago: float) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ran(number: int, days_ago: float, *, minutes: float = 10, waited: float | None = 60, **more: Any) -> LedgerEntry:
    """A healthy deploy that began so long ago, took ``minutes``, of a commit made ``waited`` minutes before it."""
    ago = days_ago * DAY
    times = {"started": stamp(ago), "ended": stamp(ago - minutes * 60)}
    committed = None if waited is None else stamp(ago + waited * 60)
    return replace(entry(number, {"api": number}), **{**times, "committed": committed, **more})


def stats(*entries: LedgerEntry, window: float = WINDOW, first_days_ago: float | None = 100) -> DeliveryStats:
    first = None if first_days_ago is None else NOW - timedelta(days=first_days_ago)
    return delivery_stats(entries, NOW - timedelta(seconds=window), NOW, first)


UNDONE: dict[str, Any] = {"verdict": Verdict.UNHEALTHY, "outcome": Outcome.ROLLED_BACK}
LEFT: dict[str, Any] = {"verdict": Verdict.UNHEALTHY, "outcome": Outcome.FAILED}


def test_four_measures_of_four_deployments() -> None:
    found = stats(ran(1, 40), ran(2, 30, waited=110), ran(3, 20, **UNDONE), ran(4, 10, waited=50))
    assert found.deployments.total == 4
    assert (found.deployments.healthy, found.deployments.failed) == (3, 1)
    assert found.deployment_frequency.per_day == pytest.approx(4 / 90, abs=1e-4)
    assert found.deployment_frequency.median_seconds_between == 10 * DAY
    assert (found.change_lead_time.median_seconds, found.change_lead_time.known) == (70 * 60, 3)
    assert (found.change_fail_rate.rate, found.change_fail_rate.failed) == (0.25, 1)
    recovery = found.failed_deployment_recovery_time
    assert [one.seconds for one in recovery.durations] == [600]
    assert recovery.median_seconds == 600
    assert recovery.reason == "only 1, which says little"


def test_nothing_known_makes_no_number() -> None:
    found = stats(first_days_ago=None)
    assert found.window.observed_seconds == 0
    values = (
        found.deployment_frequency.per_day,
        found.change_lead_time.median_seconds,
        found.change_fail_rate.rate,
        found.failed_deployment_recovery_time.median_seconds,
    )
    assert values == (None, None, None, None)
    assert found.failed_deployment_recovery_time.reason == "no deployment failed"


def test_a_quarter_without_a_deployment_is_a_frequency_of_none() -> None:
    assert stats().deployment_frequency.per_day == 0


def test_a_ledger_of_a_few_hours_makes_no_number_by_the_day() -> None:
    found = stats(*(ran(n, 0.2 - n / 100) for n in range(1, 5)), first_days_ago=0.2)
    assert found.deployment_frequency.per_day is None
    assert "less than a day" in (found.deployment_frequency.reason or "")
    assert found.change_fail_rate.rate == 0


def test_the_time_before_the_first_entry_is_not_counted_as_quiet() -> None:
    found = stats(ran(1, 3), ran(2, 2), ran(3, 1), first_days_ago=3)
    assert found.deployment_frequency.per_day == pytest.approx(1)


def test_a_run_that_reached_nobody_is_no_deployment_and_says_why() -> None:
    found = stats(
        ran(1, 5, outcome=Outcome.INTERRUPTED, verdict=None),
        ran(2, 4, outcome=None, verdict=None),
        replace(ran(3, 3, outcome=Outcome.FAILED, verdict=None), services={}),
        ran(4, 2, outcome=Outcome.REFUSED, verdict=None),
        replace(ran(5, 1), kind="step", command="rollout", verdict=None),
    )
    assert found.deployments.total == 0
    assert [one.reason.split(",")[0] for one in found.deployments.not_counted] == [
        "interrupted",
        "not finished: under way",
        "ended before the rollout",
    ]


def test_a_release_that_a_rollback_left_failed_and_was_recovered_from_by_it() -> None:
    withdrawn = ran(2, 10, withdrawn_by=None)
    back = replace(rolled_back(3, {"api": 1}, "api", target=1), started=stamp(5 * DAY), ended=stamp(5 * DAY - 240))
    withdrawn = replace(withdrawn, withdrawn_by=back.id)
    found = stats(ran(1, 20), withdrawn, back)
    assert (found.deployments.withdrawn, found.deployments.failed, found.deployments.healthy) == (1, 0, 1)
    assert found.change_fail_rate.failed == 1
    assert [one.seconds for one in found.failed_deployment_recovery_time.durations] == [240]


def test_a_release_left_broken_is_recovered_from_by_the_next_healthy_one_that_mends_what_it_broke() -> None:
    def saw(kind: EndpointClass) -> dict[str, EndpointResult]:
        return {"home": EndpointResult(kind, Samples(3, 0, ()), Samples(3, 3, ()), False, None)}

    broken = ran(1, 10, **LEFT, checks=saw(EndpointClass.REGRESSION))
    elsewhere = ran(2, 9, checks=saw(EndpointClass.PRE_EXISTING))
    undone = ran(3, 8, **UNDONE)
    mended = ran(4, 7, checks=saw(EndpointClass.FIXED))
    found = stats(broken, elsewhere, undone, mended).failed_deployment_recovery_time
    assert {one.release: one.seconds for one in found.durations} == {broken.id: 3 * DAY + 600, undone.id: 600}
    lasting = stats(broken, elsewhere).failed_deployment_recovery_time
    assert (lasting.recovered, lasting.failed, lasting.reason) == (
        0, 1, "none of 1 has ended, as far as the ledger shows"
    )  # fmt: skip


def test_lead_time_is_of_the_first_arrival_and_known_where_the_commits_time_is() -> None:
    again = replace(ran(4, 1, waited=20000), sha=ran(1, 9).sha)
    late = replace(ran(5, 0.5), committed=stamp(0))  # a commit of the future: somebody's clock was wrong
    found = stats(ran(1, 9), ran(2, 8, waited=None), ran(3, 7, **UNDONE), again, late).change_lead_time
    assert [one.seconds for one in found.durations] == [70 * 60]
    assert (found.known, found.of) == (1, 3)


def test_an_older_entry_says_its_end_by_how_long_it_took() -> None:
    old = ran(1, 9, ended=None, seconds=1800.0)
    assert [one.seconds for one in stats(old).change_lead_time.durations] == [90 * 60]
    assert stats(replace(old, seconds=None)).change_lead_time.known == 0


@pytest.mark.parametrize("wrong", ["", "yesterday", "2026-11-20T00:00:00"])
def test_a_time_that_cannot_be_read_counts_nothing_and_breaks_nothing(wrong: str) -> None:
    assert stats(ran(1, 9, started=wrong)).deployments.total == 0
    assert stats(ran(1, 9, committed=wrong)).change_lead_time.known == 0


ends = st.sampled_from(
    [
        (Verdict.HEALTHY, Outcome.DEPLOYED),
        (Verdict.UNCHECKED, Outcome.DEPLOYED),
        (Verdict.INCONCLUSIVE, Outcome.INCONCLUSIVE),
        (Verdict.UNHEALTHY, Outcome.ROLLED_BACK),
        (Verdict.UNHEALTHY, Outcome.FAILED),
        (None, Outcome.INTERRUPTED),
        (None, None),
    ]
)
deploys = st.builds(
    lambda end, days, minutes, waited: (end, days, minutes, waited),
    ends, st.floats(0.1, 200), st.floats(0, 600), st.none() | st.floats(-600, 6000),
)  # fmt: skip
withdrawals = st.sets(st.integers(1, 12))


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Deploys in the order of their ids, and a rollback after some of them that left it."""
    drawn = sorted(draw(st.lists(deploys, max_size=12)), key=lambda one: -one[1])
    left = draw(withdrawals)
    found = []
    for number, ((verdict, outcome), days, minutes, waited) in enumerate(drawn, 1):
        made = ran(2 * number, days, minutes=minutes, waited=waited, verdict=verdict, outcome=outcome)
        if number in left and verdict is not None:
            back = rolled_back(2 * number + 1, {"api": 1}, "api", target=1)
            back = replace(back, started=stamp(days * DAY - 3600), ended=stamp(days * DAY - 3660))
            found += [replace(made, withdrawn_by=back.id), back]
        else:
            found.append(made)
    return found


@given(ledgers(), st.randoms())
def test_the_order_of_the_entries_does_not_matter(entries: list[LedgerEntry], random: Any) -> None:
    mixed = list(entries)
    random.shuffle(mixed)
    assert stats(*mixed) == stats(*entries) == stats(*newest_first(*entries))


@given(ledgers())
def test_every_deploy_is_a_deployment_once_or_says_why_not(entries: list[LedgerEntry]) -> None:
    found = stats(*entries)
    counted = found.deployments
    inside = [e for e in entries if e.kind == "deploy" and e.started >= stamp(WINDOW)]
    assert counted.total + len(counted.not_counted) == len(inside)
    words = (counted.healthy, counted.unchecked, counted.inconclusive, counted.failed, counted.withdrawn)
    assert sum(words) == counted.total
    assert found.change_fail_rate.failed == counted.failed + counted.withdrawn


@given(ledgers())
def test_values_lie_within_what_they_are_made_of(entries: list[LedgerEntry]) -> None:
    found = stats(*entries)
    rate, lead, recovery = found.change_fail_rate, found.change_lead_time, found.failed_deployment_recovery_time
    assert (rate.rate is None) == (rate.deployments == 0)
    assert (rate.reason is None) == (rate.deployments >= FEW)
    assert rate.rate is None or 0 <= rate.rate <= 1
    assert lead.known <= lead.of <= found.deployments.total
    assert recovery.recovered <= recovery.failed == rate.failed
    for measure in (lead, recovery):
        seconds = [one.seconds for one in measure.durations]
        assert all(value >= 0 for value in seconds)
        assert (measure.median_seconds is None) == (not seconds)
        assert (measure.reason is None) == (len(seconds) >= FEW)
        if measure.median_seconds is not None:
            assert min(seconds) <= measure.median_seconds <= max(seconds)


@given(ledgers(), ledgers())
def test_what_was_before_the_window_changes_nothing(entries: list[LedgerEntry], others: Sequence[LedgerEntry]) -> None:
    older = [replace(e, id=f"2020{e.id[4:]}", started=stamp(WINDOW + 3600)) for e in others]
    assert stats(*entries, *older) == stats(*entries)


@given(ledgers())
def test_one_withdrawal_more_never_makes_the_fail_rate_better(entries: list[LedgerEntry]) -> None:
    before = stats(*entries).change_fail_rate.failed
    for index, one in enumerate(entries):
        worse = [*entries[:index], replace(one, withdrawn_by="2099"), *entries[index + 1 :]]
        assert stats(*worse).change_fail_rate.failed >= before


@pytest.mark.parametrize(
    ("commit", "committed"),
    [
        (Commit("a" * 40, "one", "2026-11-21T06:00:00Z"), "2026-11-21T06:00:00Z"),
        (Commit("a" * 40, "one", "2026-11-21T06:00:00Z", dirty="1a2b3c4d5e6f"), None),
        (None, None),
    ],
)
def test_only_what_is_committed_has_the_time_of_its_commit(commit: Commit | None, committed: str | None) -> None:
    plan = Plan("deploy", "dev", "20261121T060000Z-aaaaaaa", "a" * 40, None, {}, {}, {}, ())
    world = World(SystemClock(), Aws("us-east-1"), Silent(), {})
    assert new_entry(plan, "deploy", world, commit=commit).committed == committed
