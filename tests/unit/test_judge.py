"""What rounds of readings prove about a release."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from deploykit.judge.judge import BLIND_ROUNDS, Judge, Judgement
from deploykit.model.probe import EndpointClass, Failure, Reading, Samples
from deploykit.model.release import Verdict
from tests.unit.probe_kit import bad, blind, checks, endpoint, good

REFUSED = Failure("connect", "refused", "connection refused")
ERROR_500 = Failure("status", "500", "status is 500")
DEAD = Samples(9, 9, (ERROR_500,))
FINE = Samples(9, 0)
FLAKY = Samples(9, 3, (ERROR_500,))


def feed(judge: Judge, rounds: Sequence[Sequence[Reading]]) -> tuple[Judgement, int]:
    """Rounds until it is decided; how many it took."""
    for number, each in enumerate(rounds, start=1):
        judge.take(each)
        if judge.judgement().decided:
            return judge.judgement(), number
    return judge.judgement(), len(rounds)


def judge_api(before: Samples | None = FINE, **keys: bool) -> Judge:
    return Judge(checks(), {}, None if before is None else {"api": before}, **keys)


def test_without_an_endpoint_a_release_is_unchecked_at_once() -> None:
    judgement = Judge(checks().model_copy(update={"endpoints": ()}), {}, {}).judgement()
    assert (judgement.decided, judgement.verdict) == (True, Verdict.UNCHECKED)


def test_eighteen_good_samples_make_a_release_healthy() -> None:
    judgement, rounds = feed(judge_api(), [[good()] * 3] * 10)
    assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)
    assert judgement.endpoints["api"].kind is EndpointClass.OK
    assert judgement.endpoints["api"].after == Samples(18, 0)
    assert judgement.findings == ()


def test_a_dead_endpoint_is_condemned_by_its_second_round() -> None:
    judgement, rounds = feed(judge_api(), [[bad()] * 3] * 10)
    assert (judgement.verdict, rounds) == (Verdict.UNHEALTHY, 2)
    assert judgement.condemned == ("api",)
    assert judgement.endpoints["api"].kind is EndpointClass.REGRESSION
    (finding,) = judgement.findings
    assert (finding.id, finding.severity, finding.subject) == ("endpoint-regression", "error", "api")
    assert finding.evidence == ("status is 500 (6 of 6 samples)", "before the release 0 of 9 samples failed")


@pytest.mark.parametrize("samples", [1, 3, 4, 50])
def test_one_bad_round_alone_never_condemns_and_good_ones_after_it_heal(samples: int) -> None:
    judge = judge_api()
    judge.take([bad()] * samples)
    assert not judge.judgement().decided
    assert judge.expired().verdict is Verdict.INCONCLUSIVE
    judgement, _ = feed(judge, [[good()] * 3] * 30)
    assert judgement.verdict is Verdict.HEALTHY


def test_a_large_bad_round_and_one_bad_sample_among_good_ones_do_not_condemn() -> None:
    judge = judge_api()
    judge.take([bad()] * 50)
    judge.take([bad(), *[good()] * 49])
    assert judge.judgement().verdict is not Verdict.UNHEALTHY


def test_four_bad_samples_condemn_of_which_one_round_counts_two_at_most() -> None:
    for rounds in ([2, 1], [3, 1], [1, 3], [50, 1], [1, 1, 1]):
        judgement, _ = feed(judge_api(), [[bad()] * number for number in rounds])
        assert not judgement.decided
    for rounds in ([2, 2], [3, 3], [3, 1, 1], [1, 2, 1], [1, 1, 1, 1]):
        judgement, needed = feed(judge_api(), [[bad()] * number for number in rounds])
        assert (judgement.verdict, needed) == (Verdict.UNHEALTHY, len(rounds))


def test_two_failed_rounds_with_good_ones_between_condemn_nothing() -> None:
    rounds = [[bad()] * 3, [good()] * 3, [bad()] * 3, *[[good()] * 3] * 30]
    assert feed(judge_api(), rounds)[0].verdict is Verdict.HEALTHY


def test_an_endpoint_that_dies_after_it_was_proven_is_condemned_while_others_are_watched() -> None:
    judge = Judge(checks(endpoint("a"), endpoint("b", version={"json": "v"})), {"b": "new"}, {"a": FINE, "b": FINE})
    for _ in range(20):
        judge.take([good("a")] * 3)
    judgement, rounds = feed(judge, [[bad("a")] * 3] * 5)
    assert (judgement.verdict, judgement.condemned, rounds) == (Verdict.UNHEALTHY, ("a",), 3)


def test_without_a_baseline_failures_are_regressions_and_good_ones_ok() -> None:
    judgement, _ = feed(judge_api(None), [[bad()] * 3] * 3)
    assert judgement.endpoints["api"].kind is EndpointClass.REGRESSION
    judgement, _ = feed(judge_api(None), [[good()] * 3] * 6)
    assert judgement.endpoints["api"].kind is EndpointClass.OK


def test_an_endpoint_that_the_baseline_lacks_is_new_and_counts() -> None:
    both = checks(endpoint("a"), endpoint("b"))
    judge = Judge(both, {}, {"a": FINE, "b": Samples()})
    judgement, _ = feed(judge, [[good("a")] * 3 + [good("b")] * 3] * 6)
    assert judgement.endpoints["b"].kind is EndpointClass.NEW
    judgement, _ = feed(Judge(both, {}, {"a": FINE}), [[good("a")] * 3 + [bad("b")] * 3] * 6)
    assert judgement.verdict is Verdict.UNHEALTHY
    assert judgement.endpoints["b"].kind is EndpointClass.REGRESSION


class TestBrokenBefore:
    """One endpoint failed every baseline sample, another did not."""

    def judge(self, before: Samples = DEAD) -> Judge:
        return Judge(checks(endpoint("a"), endpoint("b")), {}, {"a": before, "b": FINE})

    def test_failing_in_the_same_way_neither_condemns_nor_blocks(self) -> None:
        judgement, rounds = feed(self.judge(), [[bad("a")] * 3 + [good("b")] * 3] * 10)
        assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)
        assert judgement.endpoints["a"].kind is EndpointClass.PRE_EXISTING

    def test_failing_in_another_way_condemns(self) -> None:
        judgement, _ = feed(self.judge(), [[bad("a", "refused", "connect")] * 3 + [good("b")] * 3] * 10)
        assert (judgement.verdict, judgement.condemned) == (Verdict.UNHEALTHY, ("a",))

    def test_the_old_failure_together_with_a_new_one_condemns(self) -> None:
        worse = Reading("a", (ERROR_500, Failure("contains", "missing", "body is empty")), 500)
        judgement, _ = feed(self.judge(), [[worse] * 3 + [good("b")] * 3] * 10)
        assert judgement.condemned == ("a",)

    def test_answering_well_is_fixed(self) -> None:
        judgement, _ = feed(self.judge(), [[good("a")] * 3 + [good("b")] * 3] * 10)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["a"].kind is EndpointClass.FIXED

    def test_now_and_then_is_flaky_and_does_not_block(self) -> None:
        judgement, _ = feed(self.judge(), [[bad("a"), good("a"), bad("a")] + [good("b")] * 3] * 10)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["a"].kind is EndpointClass.FLAKY

    def test_one_that_cannot_show_its_version_does_not_block(self) -> None:
        both = checks(endpoint("a", version={"json": "v"}), endpoint("b"))
        judge = Judge(both, {"a": "new"}, {"a": DEAD, "b": FINE})
        judgement, rounds = feed(judge, [[bad("a")] * 3 + [good("b")] * 3] * 10)
        assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)

    def test_absolutely_judged_it_condemns_and_the_baseline_is_still_reported(self) -> None:
        judge = Judge(checks(endpoint("a"), endpoint("b")), {}, {"a": DEAD, "b": FINE}, absolute=True)
        judgement, _ = feed(judge, [[bad("a")] * 3 + [good("b")] * 3] * 10)
        assert judgement.verdict is Verdict.UNHEALTHY
        assert judgement.endpoints["a"].kind is EndpointClass.REGRESSION
        assert judgement.endpoints["a"].before == DEAD


class TestEverythingBrokenBefore:
    def test_still_broken_is_inconclusive_and_pre_existing(self) -> None:
        judgement, rounds = feed(judge_api(DEAD), [[bad()] * 3] * 10)
        assert (judgement.verdict, rounds) == (Verdict.INCONCLUSIVE, 2)
        assert judgement.endpoints["api"].kind is EndpointClass.PRE_EXISTING

    def test_broken_in_another_way_is_inconclusive_too(self) -> None:
        judgement, _ = feed(judge_api(DEAD), [[bad("api", "refused", "connect")] * 3] * 10)
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert "everything was broken before" in judgement.reason

    def test_all_good_afterwards_is_a_repair_and_healthy(self) -> None:
        judgement, _ = feed(judge_api(DEAD), [[good()] * 3] * 10)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["api"].kind is EndpointClass.FIXED

    def test_half_repaired_is_inconclusive(self) -> None:
        judge = Judge(checks(endpoint("a"), endpoint("b")), {}, {"a": DEAD, "b": DEAD})
        judgement, _ = feed(judge, [[good("a")] * 3 + [bad("b")] * 3] * 10)
        assert judgement.verdict is Verdict.INCONCLUSIVE

    def test_going_back_to_it_is_as_healthy_as_before_and_worse_is_unhealthy(self) -> None:
        judgement, _ = feed(judge_api(DEAD, restoring=True), [[bad()] * 3] * 10)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["api"].kind is EndpointClass.PRE_EXISTING
        judgement, _ = feed(judge_api(DEAD, restoring=True), [[bad("api", "refused", "connect")] * 3] * 10)
        assert judgement.verdict is Verdict.UNHEALTHY

    def test_an_endpoint_that_only_warns_does_not_make_it_everything(self) -> None:
        both = checks(endpoint("a"), endpoint("w", severity="warn"))
        judgement, _ = feed(Judge(both, {}, {"a": DEAD, "w": FINE}), [[bad("a")] * 3] * 10)
        assert judgement.verdict is Verdict.INCONCLUSIVE
        judgement, _ = feed(Judge(both, {}, {"a": FINE, "w": DEAD}), [[bad("a")] * 3] * 10)
        assert judgement.verdict is Verdict.UNHEALTHY


class TestFlakyBefore:
    def test_as_flaky_as_before_does_not_condemn_and_is_accepted(self) -> None:
        judgement, rounds = feed(judge_api(FLAKY), [[bad(), good(), good()]] * 60)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["api"].kind is EndpointClass.FLAKY
        assert rounds < 15

    def test_dead_now_condemns(self) -> None:
        judgement, rounds = feed(judge_api(FLAKY), [[bad()] * 3] * 60)
        assert judgement.verdict is Verdict.UNHEALTHY
        assert rounds < 20

    def test_never_failing_now_is_accepted(self) -> None:
        judgement, _ = feed(judge_api(FLAKY), [[good()] * 3] * 60)
        assert judgement.verdict is Verdict.HEALTHY

    def test_one_that_failed_seldom_is_flaky_and_held_to_what_the_others_are(self) -> None:
        seldom = Samples(24, 1, (ERROR_500,))
        judgement, _ = feed(judge_api(seldom), [[bad(), good(), good()]] * 60)
        assert judgement.verdict is Verdict.UNHEALTHY
        judgement, rounds = feed(judge_api(seldom), [[good()] * 3] * 60)
        assert (judgement.verdict, judgement.endpoints["api"].kind) == (Verdict.HEALTHY, EndpointClass.FLAKY)
        assert rounds < 10

    def test_a_baseline_of_three_rounds_that_an_earlier_version_wrote_is_judged_as_it_is(self) -> None:
        judgement, _ = feed(judge_api(Samples(9, 1, (ERROR_500,))), [[bad()] * 3] * 60)
        assert judgement.verdict is Verdict.UNHEALTHY

    def test_before_all_but_one_failed_it_is_never_condemned_for_failing_as_often(self) -> None:
        judge = judge_api(Samples(9, 8, (ERROR_500,)))
        judgement, _ = feed(judge, [[bad()] * 3, [bad()] * 3, [bad(), bad(), good()]] * 20)
        assert judgement.verdict is not Verdict.UNHEALTHY


class TestProber:
    def test_a_round_in_which_this_machine_reached_nothing_is_not_counted(self) -> None:
        judge = judge_api()
        for _ in range(BLIND_ROUNDS - 1):
            judge.take([blind()] * 3)
        assert not judge.judgement().decided
        judgement, rounds = feed(judge, [[good()] * 3] * 6)
        assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)
        assert judgement.endpoints["api"].after == Samples(18, 0)

    def test_several_such_rounds_in_a_row_are_inconclusive(self) -> None:
        judgement, rounds = feed(judge_api(), [[blind()] * 3] * 20)
        assert (judgement.verdict, judgement.prober_blind, rounds) == (Verdict.INCONCLUSIVE, True, BLIND_ROUNDS)
        assert [finding.id for finding in judgement.findings] == ["prober-offline"]

    def test_where_others_answer_a_name_that_is_gone_speaks_of_the_endpoint(self) -> None:
        judge = Judge(checks(endpoint("a"), endpoint("b")), {}, {"a": FINE, "b": FINE})
        judgement, _ = feed(judge, [[good("a")] * 3 + [blind("b")] * 3] * 10)
        assert (judgement.verdict, judgement.condemned) == (Verdict.UNHEALTHY, ("b",))

    def test_nothing_but_such_rounds_until_the_deadline_is_told_as_that(self) -> None:
        judge = judge_api()
        judge.take([blind()] * 3)
        assert judge.expired().prober_blind
        assert judge.expired().verdict is Verdict.INCONCLUSIVE


class TestVersions:
    def judge(self, expected: str | None = "new") -> Judge:
        return Judge(checks(endpoint(version={"json": "v"})), {"api": expected}, {"api": FINE})

    def test_the_right_version_is_part_of_healthy(self) -> None:
        judgement, rounds = feed(self.judge(), [[good(version="new")] * 3] * 10)
        assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)
        assert judgement.endpoints["api"].version == "new"

    @pytest.mark.parametrize("version", ["old", None])
    def test_another_version_or_none_is_stale_never_unhealthy(self, version: str | None) -> None:
        judgement, _ = feed(self.judge(), [[good(version=version)] * 3] * 10)
        assert (judgement.verdict, judgement.stale) == (Verdict.INCONCLUSIVE, ("api",))
        assert judgement.endpoints["api"].stale
        (finding,) = judgement.findings
        assert finding.id == "version-not-reported"
        assert finding.evidence == (f"shows {version or 'no version'} (18 of 18 samples)",)

    def test_the_version_of_a_failing_answer_says_nothing(self) -> None:
        judge = self.judge()
        judge.take([Reading("api", (ERROR_500,), 500, version="old")] * 3)
        judge.take([good(version="new")] * 3)
        assert judge.watch("api").versions == {"new": 3}

    def test_after_an_invalidation_versions_are_tested_anew_and_the_stale_edge_is_a_warning(self) -> None:
        judge = self.judge()
        feed(judge, [[good(version="old", cached=True)] * 3] * 3)
        assert judge.judgement().stale == ("api",)
        assert all(reading.cached for reading in judge.other_versions(["api"])["api"])
        judge.forget_versions(["api"])
        judgement, _ = feed(judge, [[good(version="new")] * 3] * 10)
        assert (judgement.verdict, judgement.stale) == (Verdict.HEALTHY, ())
        assert [(finding.id, finding.severity) for finding in judgement.findings] == [("stale-edge", "warning")]

    def test_stale_again_after_it_is_inconclusive(self) -> None:
        judge = self.judge()
        feed(judge, [[good(version="old")] * 3] * 3)
        judge.forget_versions(["api"])
        judgement, _ = feed(judge, [[good(version="old")] * 3] * 10)
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert "also after its caches were emptied" in judgement.findings[0].summary

    @pytest.mark.parametrize("expected", [None])
    def test_a_version_that_nobody_expects_is_reported_and_not_compared(self, expected: str | None) -> None:
        judgement, _ = feed(self.judge(expected), [[good(version="old")] * 3] * 10)
        assert judgement.verdict is Verdict.HEALTHY
        assert judgement.endpoints["api"].version == "old"

    def test_a_stale_endpoint_does_not_hide_another_ones_regression(self) -> None:
        judge = Judge(checks(endpoint("a", version={"json": "v"}), endpoint("b")), {"a": "new"}, None)
        judgement, _ = feed(judge, [[good("a", "old")] * 3 + [bad("b")] * 3] * 10)
        assert (judgement.verdict, judgement.condemned) == (Verdict.UNHEALTHY, ("b",))


class TestWarn:
    def judge(self) -> Judge:
        return Judge(checks(endpoint("a"), endpoint("w", severity="warn")), {}, {"a": FINE, "w": FINE})

    def test_a_broken_warn_endpoint_is_reported_and_decides_nothing(self) -> None:
        judgement, rounds = feed(self.judge(), [[good("a")] * 3 + [bad("w")] * 3] * 10)
        assert (judgement.verdict, judgement.condemned, rounds) == (Verdict.HEALTHY, (), 6)
        assert judgement.endpoints["w"].kind is EndpointClass.REGRESSION
        assert [(finding.subject, finding.severity) for finding in judgement.findings] == [("w", "warning")]

    def test_it_does_not_delay_the_end(self) -> None:
        judgement, rounds = feed(self.judge(), [[good("a")] * 3 + [bad("w"), good("w")]] * 10)
        assert (judgement.verdict, rounds) == (Verdict.HEALTHY, 6)


def test_what_failed_without_being_condemned_by_the_deadline_is_named_with_its_evidence() -> None:
    judge = judge_api()
    judge.take([bad(), good(), good()])
    judgement = judge.expired()
    assert judgement.reason == "not decided by the deadline: api"
    assert [(finding.id, finding.evidence) for finding in judgement.findings] == [
        ("endpoint-undecided", ("status is 500 (1 of 3 samples)",))
    ]


def test_every_condemned_endpoint_is_in_the_reason() -> None:
    judge = Judge(checks(endpoint("a"), endpoint("b")), {}, None)
    judgement, _ = feed(judge, [[bad("a")] * 3 + [bad("b", "404")] * 3] * 10)
    assert judgement.reason == ("a fails: status is 500 (6 of 6 samples); b fails: status is 404 (6 of 6 samples)")
