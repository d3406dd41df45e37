"""What holds for the verdict whatever is measured, and how often it is wrong in many simulated releases."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.judge.judge import BLIND_ROUNDS, Judge
from deploykit.judge.noise import health_test, lower_share, seldom, upper_share
from deploykit.judge.sequential import Decision, SequentialTest
from deploykit.model.probe import EndpointClass, Reading, Samples
from deploykit.model.release import Verdict
from tests.unit.probe_kit import bad, blind, checks, endpoint, good

shares = st.floats(0.001, 0.999)
outcome = st.sampled_from(["good", "bad", "other"])
rounds_of_two = st.lists(st.tuples(st.lists(outcome, max_size=6), st.lists(outcome, max_size=6)), max_size=12)
baselines = st.none() | st.dictionaries(
    st.sampled_from(["a", "b"]),
    st.sampled_from([Samples(), Samples(9, 0), Samples(9, 3, bad().failures), Samples(9, 9, bad().failures)]),
)
MAKE: dict[str, Callable[[str], Reading]] = {
    "good": lambda name: good(name, "new"),
    "bad": bad,
    "other": lambda name: good(name, "old"),
}


def readings(name: str, outcomes: list[str]) -> list[Reading]:
    return [MAKE[each](name) for each in outcomes]


def judge_two(baseline: dict[str, Samples] | None, reverse: bool = False, warn: bool = False) -> Judge:
    a = endpoint("a", version={"json": "v"})
    b = endpoint("b", version={"json": "v"}, severity="warn" if warn else "error")
    return Judge(checks(*([b, a] if reverse else [a, b])), {"a": "new", "b": "new"}, baseline)


@given(baselines, rounds_of_two)
def test_the_order_of_endpoints_and_of_a_rounds_samples_does_not_matter(
    baseline: dict[str, Samples] | None, rounds: list[tuple[list[str], list[str]]]
) -> None:
    one, two = judge_two(baseline), judge_two(baseline, reverse=True)
    for a, b in rounds:
        one.take(readings("a", a) + readings("b", b))
        two.take(list(reversed(readings("a", a) + readings("b", b))))
    first, second = one.judgement(), two.judgement()
    assert first.verdict is second.verdict
    assert set(first.stale) == set(second.stale)
    assert set(first.condemned) == set(second.condemned)
    for name, result in first.endpoints.items():
        assert result.kind is second.endpoints[name].kind
        assert result.after.failed == second.endpoints[name].after.failed


@given(baselines, st.lists(outcome, max_size=60), st.lists(outcome, max_size=60))
def test_one_round_never_makes_a_release_unhealthy_however_large(
    baseline: dict[str, Samples] | None, a: list[str], b: list[str]
) -> None:
    judge = judge_two(baseline)
    judge.take(readings("a", a) + readings("b", b))
    judgement = judge.judgement()
    assert (judgement.condemned, judgement.stale) == ((), ())
    assert judge.expired().verdict in (Verdict.INCONCLUSIVE, Verdict.HEALTHY)


@given(baselines, rounds_of_two, st.data())
def test_a_good_sample_more_never_condemns(
    baseline: dict[str, Samples] | None, rounds: list[tuple[list[str], list[str]]], data: st.DataObject
) -> None:
    plain, richer = judge_two(baseline), judge_two(baseline)
    for a, b in rounds:
        plain.take(readings("a", a) + readings("b", b))
        more = data.draw(st.integers(0, 5))
        richer.take(readings("a", a + ["good"] * more) + readings("b", b))
    assert set(richer.judgement().condemned) <= set(plain.judgement().condemned)
    assert set(richer.judgement().stale) <= set(plain.judgement().stale)


@given(baselines, rounds_of_two)
def test_an_endpoint_that_warns_never_decides(
    baseline: dict[str, Samples] | None, rounds: list[tuple[list[str], list[str]]]
) -> None:
    alone = Judge(checks(endpoint("a", version={"json": "v"})), {"a": "new"}, baseline)
    both = judge_two(baseline, warn=True)
    for a, b in rounds:
        alone.take(readings("a", a))
        both.take(readings("a", a) + readings("b", b))
        assert both.judgement().verdict is alone.judgement().verdict


@given(st.lists(st.lists(outcome, min_size=1, max_size=4), max_size=10))
def test_what_failed_in_the_same_way_before_is_never_condemned_for_it(rounds: list[list[str]]) -> None:
    judge = judge_two({"a": Samples(9, 9, bad().failures), "b": Samples(9, 0)})
    for a in rounds:
        judge.take(readings("a", a) + readings("b", ["good"]))
    assert judge.judgement().verdict is not Verdict.UNHEALTHY
    assert judge.judgement().endpoints["a"].kind is not EndpointClass.REGRESSION


@given(st.lists(st.sampled_from(["good", "blind"]), max_size=20))
def test_rounds_in_which_nothing_was_reached_never_condemn(rounds: list[str]) -> None:
    judge = Judge(checks(endpoint("a")), {}, None)
    blind_in_a_row = 0
    for each in rounds:
        judge.take([good("a") if each == "good" else blind("a")] * 3)
        blind_in_a_row = 0 if each == "good" else blind_in_a_row + 1
        assert judge.judgement().prober_blind is (blind_in_a_row >= BLIND_ROUNDS)
    assert judge.judgement().condemned == ()


@given(shares, shares)
def test_a_test_needs_its_two_shares_in_order(one: float, two: float) -> None:
    if one < two:
        assert SequentialTest(one, two).decision is Decision.UNDECIDED
    else:
        with pytest.raises(ValueError, match="0 < p0 < p1 < 1"):
            SequentialTest(one, two)


@given(st.lists(st.booleans(), max_size=40))
def test_a_condemnation_stays_and_the_score_keeps_its_bounds(samples: list[bool]) -> None:
    test = SequentialTest(0.01, 0.33)
    condemned = False
    for ok in samples:
        test = test.after(ok)
        condemned = condemned or test.decision is Decision.CONDEMNED
        assert test.score >= test.lower
        assert (test.decision is Decision.CONDEMNED) is condemned


def test_with_the_defaults_eighteen_good_samples_accept_and_four_bad_ones_condemn() -> None:
    for ok, needed, decision in ((True, 18, Decision.ACCEPTED), (False, 4, Decision.CONDEMNED)):
        test = SequentialTest(0.01, 0.33)
        for _ in range(needed - 1):
            test = test.after(ok)
        assert test.decision is Decision.UNDECIDED
        assert test.after(ok).decision is decision


@given(st.integers(1, 50), st.data())
def test_the_share_that_a_few_samples_leave_plausible_is_above_what_was_seen(samples: int, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, samples - 1))
    assert failed / samples < upper_share(failed, samples) < 1
    assert 0 <= lower_share(failed, samples) <= failed / samples + 1e-9


@given(st.floats(0.001, 0.9), st.floats(0.002, 0.95), st.integers(1, 100), st.data())
def test_whatever_was_seen_before_there_is_a_test_and_seldom_failures_leave_it_its_limit(
    noise: float, detect: float, samples: int, data: st.DataObject
) -> None:
    if noise < detect:
        settings = checks(noise=noise, detect=detect)
        before = Samples(samples, data.draw(st.integers(0, samples)))
        test = health_test(settings, before)
        assert noise <= test.p0 < test.p1
        assert detect <= test.p1
        if before.failed < samples and seldom(settings, before):
            assert test.p1 == detect


def simulate(chance: random.Random, share: float, before: Samples | None, rounds: int) -> Verdict | None:
    """One release of seven endpoints, the first of which fails a share of its samples; the others 1 %."""
    names = ["sick", *"bcdefg"]
    baseline = None if before is None else {"sick": before} | {name: Samples(9, 0) for name in names[1:]}
    judge = Judge(checks(*(endpoint(name) for name in names)), {}, baseline)
    for _ in range(rounds):
        judge.take(
            [
                bad(name) if chance.random() < (share if name == "sick" else 0.01) else good(name)
                for name in names
                for _ in range(3)
            ]
        )
        if judge.judgement().decided:
            break
    return judge.judgement().verdict


def test_of_two_thousand_releases_with_one_percent_of_noise_none_is_condemned() -> None:
    chance = random.Random(20261121)
    verdicts = [simulate(chance, 0.01, None, 60) for _ in range(2000)]
    assert verdicts.count(Verdict.HEALTHY) == 2000


def test_an_endpoint_that_fails_one_time_in_three_is_found() -> None:
    chance = random.Random(3)
    verdicts = [simulate(chance, 1 / 3, None, 60) for _ in range(1000)]
    assert verdicts.count(Verdict.UNHEALTHY) >= 995


def test_an_endpoint_as_flaky_as_before_is_not_condemned() -> None:
    chance = random.Random(7)
    verdicts = []
    for _ in range(500):
        failed = sum(chance.random() < 1 / 3 for _ in range(9))
        before = Samples(9, failed, bad().failures if failed else ())
        if 0 < failed < 9:
            verdicts.append(simulate(chance, 1 / 3, before, 60))
    assert verdicts.count(Verdict.UNHEALTHY) <= len(verdicts) * 0.03
    assert verdicts.count(Verdict.HEALTHY) >= len(verdicts) * 0.9
