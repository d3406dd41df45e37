"""The check command's judgement of what runs now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from deploykit.config.checks import Checks, Endpoint
from deploykit.errors import ExitCode, UsageError
from deploykit.judge.check import CheckResult, check, chosen
from deploykit.model.probe import Reading
from tests.unit.probe_kit import FakeClock, Listener, bad, blind, checks, endpoint, good

Answers = dict[str, Callable[[int], Reading]]  # endpoint → its answer to the n-th request, from 0


class Site:
    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked: list[tuple[str, ...]] = []
        self.counts = dict.fromkeys(answers, 0)

    def __call__(self, endpoints: Sequence[Endpoint], samples: int) -> list[Reading]:
        self.asked.append(tuple(each.id for each in endpoints))
        readings = []
        for each in endpoints:
            for _ in range(samples):
                readings.append(self.answers[each.id](self.counts[each.id]))
                self.counts[each.id] += 1
        return readings


def run(
    answers: Answers, configured: Checks, versions: dict[str, str | None] | None = None, rounds: int | None = None
) -> tuple[CheckResult, Site]:
    site = Site(answers)
    return check(configured, versions, site, FakeClock(), Listener(), rounds), site


TWO = checks(endpoint("a"), endpoint("b"))
WARN = checks(endpoint("a"), endpoint("b", severity="warn"))
VERSIONED = checks(endpoint("a", version={"json": "v"}), endpoint("b"))


def test_all_good_is_healthy_after_one_request_each() -> None:
    result, site = run({"a": lambda n: good("a"), "b": lambda n: good("b")}, TWO)
    assert (result.healthy, result.exit_code) == (True, ExitCode.OK)
    assert site.asked == [("a", "b")]
    assert [(each.id, each.ok, each.status, each.latency_ms, each.failures) for each in result.endpoints] == [
        ("a", True, 200, 10.0, ()),
        ("b", True, 200, 10.0, ()),
    ]


def test_only_a_failing_endpoint_is_asked_twice_more_and_then_down() -> None:
    result, site = run({"a": lambda n: good("a"), "b": lambda n: bad("b")}, TWO)
    assert (result.healthy, result.exit_code) == (False, ExitCode.UNHEALTHY)
    assert site.asked == [("a", "b"), ("b",), ("b",)]
    assert [(each.ok, each.failures) for each in result.endpoints] == [(True, ()), (False, ("status is 500",))]
    assert result.reason == "down: b (status is 500)"


@pytest.mark.parametrize("good_at", [1, 2])
def test_one_that_answers_when_asked_again_is_flaky_and_not_down(good_at: int) -> None:
    result, site = run({"a": lambda n: good("a"), "b": lambda n: good("b") if n == good_at else bad("b")}, TWO)
    assert (result.healthy, result.exit_code) == (True, ExitCode.OK)
    assert len(site.asked) == good_at + 1
    assert (result.endpoints[1].ok, result.endpoints[1].failures) == (True, ("status is 500",))


def test_a_broken_warn_endpoint_is_shown_and_never_changes_the_exit_code() -> None:
    result, _ = run({"a": lambda n: good("a"), "b": lambda n: bad("b")}, WARN)
    assert (result.healthy, result.exit_code) == (True, ExitCode.OK)
    assert (result.endpoints[1].ok, result.endpoints[1].severity) == (False, "warn")
    result, _ = run({"a": lambda n: good("a"), "b": lambda n: bad("b")}, WARN, rounds=8)
    assert (result.healthy, result.exit_code) == (True, ExitCode.OK)


@pytest.mark.parametrize("rounds", [None, 3])
def test_where_nothing_is_reached_at_all_it_is_this_machine(rounds: int | None) -> None:
    result, _ = run({"a": lambda n: blind("a"), "b": lambda n: blind("b")}, TWO, rounds=rounds)
    assert (result.healthy, result.exit_code) == (None, ExitCode.INCONCLUSIVE)
    assert [each.ok for each in result.endpoints] == [None, None]


def test_where_one_answers_the_name_of_another_that_is_gone_is_its_own_fault() -> None:
    result, _ = run({"a": lambda n: good("a"), "b": lambda n: blind("b")}, TWO)
    assert (result.healthy, result.exit_code) == (False, ExitCode.UNHEALTHY)


@pytest.mark.parametrize("kind", ["refused", "reset", "timeout"])
def test_refused_reset_and_timed_out_everywhere_are_the_endpoints(kind: str) -> None:
    result, _ = run({name: (lambda n, name=name: bad(name, kind, "connect")) for name in ("a", "b")}, TWO)  # type: ignore[misc]
    assert (result.healthy, result.exit_code) == (False, ExitCode.UNHEALTHY)


@pytest.mark.parametrize("rounds", [None, 8])
def test_another_version_than_the_one_that_runs_is_inconclusive_and_not_down(rounds: int | None) -> None:
    answers: Answers = {"a": lambda n: good("a", "old"), "b": lambda n: good("b")}
    result, _ = run(answers, VERSIONED, {"a": "new", "b": "new"}, rounds)
    assert (result.healthy, result.exit_code) == (None, ExitCode.INCONCLUSIVE)
    assert (result.endpoints[0].ok, result.endpoints[0].version) == (False, "old")
    assert result.endpoints[0].failures == ("shows old, what runs is new",)
    assert result.endpoints[1].ok


def test_without_credentials_versions_are_reported_and_not_compared() -> None:
    result, _ = run({"a": lambda n: good("a", "old"), "b": lambda n: good("b")}, VERSIONED, None)
    assert (result.healthy, result.endpoints[0].version) == (True, "old")


def test_rounds_are_the_sequential_test() -> None:
    def one_in_three(n: int) -> Reading:
        return bad("b") if n % 3 == 0 else good("b")

    result, site = run({"a": lambda n: good("a"), "b": one_in_three}, TWO, rounds=20)
    assert len(site.asked) == 20
    assert (result.healthy, result.exit_code) == (False, ExitCode.UNHEALTHY)
    result, _ = run({"a": lambda n: good("a"), "b": one_in_three}, TWO, rounds=2)
    assert (result.healthy, result.exit_code, result.endpoints[1].ok) == (None, ExitCode.INCONCLUSIVE, None)


def test_a_few_rounds_without_any_failure_are_healthy_and_one_bad_round_is_not_yet_down() -> None:
    result, _ = run({"a": lambda n: good("a"), "b": lambda n: good("b")}, TWO, rounds=2)
    assert (result.healthy, result.exit_code) == (True, ExitCode.OK)
    result, _ = run({"a": lambda n: good("a"), "b": lambda n: bad("b")}, TWO, rounds=1)
    assert (result.healthy, result.exit_code) == (None, ExitCode.INCONCLUSIVE)


def test_zero_rounds_are_a_mistake() -> None:
    with pytest.raises(UsageError, match="--rounds 0"):
        run({"a": lambda n: good("a"), "b": lambda n: good("b")}, TWO, rounds=0)


def test_an_unknown_endpoint_is_refused_with_the_nearest_known_one() -> None:
    configured = checks(endpoint("backend-health"), endpoint("home"))
    assert [each.id for each in chosen(configured, ["home"]).endpoints] == ["home"]
    assert chosen(configured, []) == configured
    with pytest.raises(UsageError, match="'backend-helth'") as caught:
        chosen(configured, ["home", "backend-helth"])
    assert caught.value.hint == "did you mean backend-health?"


def test_nothing_configured_is_said_and_nothing_is_judged() -> None:
    result, site = run({}, checks().model_copy(update={"endpoints": ()}))
    assert (result.healthy, result.exit_code, site.asked) == (None, ExitCode.OK, [])
