"""The baseline before a release: short, and longer only where an endpoint sometimes fails and sometimes does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from deploykit.config.checks import Checks, Endpoint
from deploykit.judge.baseline import FLICKER_ROUNDS, FLICKER_SECONDS, take_baseline
from deploykit.judge.noise import health_test
from deploykit.model.probe import Reading, Samples
from tests.unit.probe_kit import FakeClock, Listener, bad, blind, checks, endpoint, good

Round = Callable[[int], list[Reading]]  # the round's number, from 0


class Before:
    """A site before its release: what the baseline of it is, how many rounds that took, and what was said."""

    def __init__(self, answer: Round, settings: Checks | None = None, seconds: float = 0.25) -> None:
        self.answer, self.seconds = answer, seconds
        self.rounds = 0
        self.clock, self.listener = FakeClock(), Listener()
        self.samples = take_baseline(self.ask, settings or checks(), self.clock, self.listener)

    def ask(self, endpoints: Sequence[Endpoint]) -> Sequence[Reading]:
        self.clock.time += self.seconds
        self.rounds += 1
        return self.answer(self.rounds - 1)


def failing(*rounds: int) -> Round:
    """One sample of three fails in these rounds."""
    return lambda number: [bad() if number in rounds else good(), good(), good()]


@pytest.mark.parametrize("reading", [good(), bad()])
def test_a_baseline_is_three_quick_rounds_where_every_sample_says_the_same(reading: Reading) -> None:
    before = Before(lambda number: [reading] * 3)
    assert before.samples["api"].samples == 9
    assert before.samples["api"].failed == (0 if reading.ok else 9)
    assert before.clock.slept == [0.75, 0.75]  # a second from start to start
    assert before.listener.lines == []


def test_an_endpoint_that_failed_once_is_asked_until_that_is_known_to_be_seldom() -> None:
    before = Before(failing(1))
    assert before.samples == {"api": Samples(24, 1, bad().failures)}
    assert before.clock.time - 1000 <= 8
    assert before.listener.lines == [("api", "flickers (1 of 9 failed): asking for longer, 20 s at most")]


def test_of_an_endpoint_that_failed_once_a_third_of_failures_is_still_not_accepted() -> None:
    before = Before(failing(1))
    test = health_test(checks(), before.samples["api"])
    assert test.p1 == checks().detect
    short = health_test(checks(), Samples(9, 1, bad().failures))  # as it was after three rounds
    assert short.p1 > 0.5


def test_one_that_clearly_fails_by_itself_is_not_looked_at_to_the_end() -> None:
    before = Before(lambda number: [bad(), good(), good()])
    assert before.samples == {"api": Samples(30, 10, bad().failures)}


def test_what_stays_unclear_ends_with_the_rounds() -> None:
    before = Before(failing(*range(0, 20, 3)))
    assert before.rounds == FLICKER_ROUNDS
    assert before.samples["api"].failed == 7


def test_slow_answers_do_not_make_it_longer_than_said() -> None:
    before = Before(failing(*range(0, 20, 3)), seconds=4.0)
    assert before.clock.time - 1000 <= 3 * 4.0 + FLICKER_SECONDS + 4.0
    assert before.rounds == 8


def test_a_round_that_failed_as_a_whole_is_not_taken_for_how_the_endpoints_are() -> None:
    before = Before(lambda number: [bad() if number == 1 else good()] * 3)
    assert before.samples["api"].failed == 3
    assert before.samples["api"].samples >= 30
    assert health_test(checks(), before.samples["api"]).p1 == checks().detect


def test_one_that_only_warns_keeps_nobody_waiting() -> None:
    both = checks(endpoint("a"), endpoint("w", severity="warn"))
    before = Before(lambda number: [good("a")] * 3 + [bad("w"), good("w"), good("w")], both)
    assert before.rounds == 3
    assert before.samples == {"a": Samples(9, 0), "w": Samples(9, 3, bad().failures)}


def test_each_that_flickers_is_named_once_and_all_are_asked_on() -> None:
    names = ["a", "b", "c"]
    sick = {("a", 1), ("b", 4)}
    before = Before(
        lambda number: [bad(each) if (each, number) in sick else good(each) for each in names for _ in range(3)],
        checks(*(endpoint(each) for each in names)),
    )
    assert before.listener.lines == [
        ("a", "flickers (3 of 9 failed): asking for longer, 20 s at most"),
        ("b", "flickers (3 of 15 failed): asking for longer, 20 s at most"),
    ]
    assert before.samples["c"].samples == before.samples["a"].samples == before.samples["b"].samples


def test_where_the_file_allows_for_more_noise_a_failure_is_no_reason_to_wait() -> None:
    assert Before(failing(1), checks(noise=0.3)).rounds == 3


def test_many_samples_a_round_tell_at_once() -> None:
    assert Before(lambda number: [*([good()] * 14), bad() if number == 1 else good()]).rounds == 3


def test_a_round_in_which_nothing_was_reached_is_asked_again() -> None:
    before = Before(lambda number: [blind() if number < 2 else good()] * 3)
    assert before.samples == {"api": Samples(9, 0)}
    assert before.rounds == 5


def test_on_a_machine_without_network_it_ends_and_has_no_samples() -> None:
    before = Before(lambda number: [blind()] * 3)
    assert before.samples == {"api": Samples()}
    assert before.rounds == 4


def test_on_a_machine_that_loses_its_network_meanwhile_it_keeps_what_it_has() -> None:
    before = Before(lambda number: [bad(), good(), good()] if number < 4 else [blind()] * 3)
    assert before.samples == {"api": Samples(12, 4, bad().failures)}
    assert before.rounds == 8


def test_without_endpoints_nothing_is_asked() -> None:
    before = Before(lambda number: [], checks().model_copy(update={"endpoints": ()}))
    assert (before.samples, before.rounds, before.clock.slept) == ({}, 0, [])
