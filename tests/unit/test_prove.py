"""Rounds of samples after a release, in a time that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from deploykit.config.checks import Endpoint
from deploykit.judge.judge import BLIND_ROUNDS, Judge, Judgement
from deploykit.judge.prove import PATIENCE_WITH_CACHES, at_edge
from deploykit.model.probe import Reading, Samples
from deploykit.model.release import Verdict
from tests.unit.probe_kit import FakeClock, Listener, bad, blind, checks, endpoint, good, prove

Round = Callable[[int], list[Reading]]  # the round's number, from 0


class Site:
    """Answers each round as the test says; a round takes ``seconds``."""

    def __init__(self, clock: FakeClock, answer: Round, seconds: float = 0.5) -> None:
        self.clock = clock
        self.answer = answer
        self.seconds = seconds
        self.began: list[float] = []

    def __call__(self, endpoints: Sequence[Endpoint]) -> Sequence[Reading]:
        self.began.append(self.clock.time)
        self.clock.time += self.seconds
        return self.answer(len(self.began) - 1)


VERSIONED = checks(endpoint(version={"json": "v"}))


def test_without_endpoints_nothing_is_asked() -> None:
    clock, none = FakeClock(), checks().model_copy(update={"endpoints": ()})
    site = Site(clock, lambda number: [])
    judgement = prove(site, Judge(none, {}, {}), none, clock, Listener())
    assert (judgement.verdict, site.began, clock.slept) == (Verdict.UNCHECKED, [], [])


def test_rounds_start_an_interval_apart_until_the_release_is_proven() -> None:
    clock, listener = FakeClock(), Listener()
    site = Site(clock, lambda number: [good()] * 3, seconds=2.0)
    judgement = prove(site, Judge(checks(), {}, {}), checks(), clock, listener)
    assert judgement.verdict is Verdict.HEALTHY
    assert site.began == [1000.0, 1005.0, 1010.0, 1015.0, 1020.0, 1025.0]
    assert ("api", "answers as expected") in listener.lines
    assert listener.lines[-2:] == [("api", "proven"), ("checks", "1 of 1 endpoints proven after 6 rounds")]
    assert listener.lines.count(("api", "answers as expected")) == 1


def test_a_round_longer_than_the_interval_is_followed_at_once() -> None:
    clock = FakeClock()
    site = Site(clock, lambda number: [bad()] * 3, seconds=8.0)
    judgement = prove(site, Judge(checks(), {}, {}), checks(), clock, Listener())
    assert judgement.verdict is Verdict.UNHEALTHY
    assert site.began == [1000.0, 1008.0]


def test_what_is_not_decided_by_the_deadline_is_inconclusive() -> None:
    clock = FakeClock()
    site = Site(clock, lambda number: [good()] * 3 if number % 4 else [bad(), *[good()] * 2])
    brief = checks(deadline=12.0)
    judgement = prove(site, Judge(brief, {}, {}), brief, clock, Listener())
    assert (judgement.decided, judgement.verdict) == (True, Verdict.INCONCLUSIVE)
    assert len(site.began) == 3
    assert clock.time <= 1012.0


def test_a_machine_without_network_ends_after_a_few_rounds() -> None:
    clock = FakeClock()
    site = Site(clock, lambda number: [blind()] * 3)
    judgement = prove(site, Judge(checks(), {}, {}), checks(), clock, Listener())
    assert (judgement.verdict, judgement.prober_blind) == (Verdict.INCONCLUSIVE, True)
    assert len(site.began) == BLIND_ROUNDS


class Edge:
    """A cache before the site; emptying it takes ``seconds`` and helps, or does not."""

    def __init__(self, clock: FakeClock, stale: set[str], helps: bool = True, seconds: float = 200.0) -> None:
        self.clock = clock
        self.stale = set(stale)
        self.helps = helps
        self.seconds = seconds
        self.asked: list[dict[str, int]] = []

    def round(self, *names: str) -> list[Reading]:
        return [good(name, "old" if name in self.stale else "new", name in self.stale) for name in names] * 3

    def empty(self, stale: Mapping[str, Sequence[Reading]]) -> bool:
        self.asked.append({name: len(readings) for name, readings in stale.items()})
        assert all(at_edge(readings, (), "new") for readings in stale.values())
        self.clock.time += self.seconds
        if self.helps:
            self.stale -= set(stale)
        return True


def run(edge: Edge, *names: str, repair: bool = True) -> Judgement:
    several = checks(*(endpoint(name, version={"json": "v"}) for name in names))
    judge = Judge(several, dict.fromkeys(names, "new"), dict.fromkeys(names, Samples(9, 0)))
    site = Site(edge.clock, lambda number: edge.round(*names))
    return prove(site, judge, several, edge.clock, Listener(), edge.empty if repair else None)


def test_a_stale_edge_is_emptied_and_the_release_proven_whatever_time_that_took() -> None:
    edge = Edge(FakeClock(), {"a", "b"}, seconds=400.0)  # longer than the whole deadline
    judgement = run(edge, "a", "b", "c")
    assert judgement.verdict is Verdict.HEALTHY
    assert edge.asked == [{"a": 6, "b": 6}]
    assert [(finding.id, finding.subject) for finding in judgement.findings] == [
        ("stale-edge", "a"),
        ("stale-edge", "b"),
    ]


def test_an_edge_that_stays_stale_is_emptied_once_and_inconclusive() -> None:
    edge = Edge(FakeClock(), {"a"}, helps=False)
    judgement = run(edge, "a", "b")
    assert (judgement.verdict, judgement.stale) == (Verdict.INCONCLUSIVE, ("a",))
    assert len(edge.asked) == 1
    assert [finding.id for finding in judgement.findings] == ["version-not-reported"]


def test_an_old_version_that_nothing_can_be_done_about_is_inconclusive() -> None:
    judgement = run(Edge(FakeClock(), {"a"}), "a", repair=False)
    assert (judgement.verdict, judgement.stale) == (Verdict.INCONCLUSIVE, ("a",))


def test_a_callback_that_did_nothing_leaves_the_finding() -> None:
    clock = FakeClock()
    asked: list[str] = []

    def refuse(stale: Mapping[str, Sequence[Reading]]) -> bool:
        asked.extend(stale)
        return False

    judge = Judge(VERSIONED, {"api": "new"}, None)
    site = Site(clock, lambda number: [good(version="old")] * 3)
    judgement = prove(site, judge, VERSIONED, clock, Listener(), refuse)
    assert (judgement.verdict, asked) == (Verdict.INCONCLUSIVE, ["api"])
    assert judgement.findings[0].id == "version-not-reported"


def test_nothing_is_emptied_for_a_release_that_is_unhealthy_anyway() -> None:
    clock = FakeClock()
    edge = Edge(clock, {"a"})
    several = checks(endpoint("a", version={"json": "v"}), endpoint("b"))
    judge = Judge(several, {"a": "new"}, None)
    site = Site(clock, lambda number: edge.round("a") + [bad("b")] * 3)
    assert prove(site, judge, several, clock, Listener(), edge.empty).verdict is Verdict.UNHEALTHY
    assert edge.asked == []


def test_the_origins_word_tells_a_stale_edge_and_the_cache_headers_do_where_it_gave_none() -> None:
    old, cached = [good(version="old")], [good(version="old", cached=True)]
    assert at_edge(old, [good(version="new")], "new")
    assert not at_edge(cached, [good(version="old")], "new")
    assert at_edge(cached, [], "new")
    assert at_edge(cached, [bad()], "new")
    assert not at_edge(old, [], "new")
    assert not at_edge(old, [good(version="new"), good(version="old")], "new")


def kept(age: int) -> Reading:
    return replace(bad(), cached=True, age=age)


def proven(answer: Round) -> tuple[Judgement, Site, Listener]:
    clock, listener = FakeClock(), Listener()
    site = Site(clock, answer)
    return prove(site, Judge(checks(), {}, {"api": Samples(9, 0)}), checks(), clock, listener), site, listener


def test_an_error_that_the_edge_keeps_from_before_says_nothing_of_what_runs_now() -> None:
    judgement, site, listener = proven(lambda number: [kept(5 * number + 3)] * 3 if number < 2 else [good()] * 3)
    assert judgement.verdict is Verdict.HEALTHY
    assert judgement.endpoints["api"].after == Samples(18, 0)
    assert len(site.began) == 8
    said = "a CDN cache still serves an error from before the release; waiting for it to expire"
    assert ("api", said) in listener.lines


def test_ages_are_rounded_down_by_those_who_tell_them() -> None:
    judgement, _, _ = proven(lambda number: [kept(5 * number)] * 3 if number < 2 else [good()] * 3)
    assert judgement.verdict is Verdict.HEALTHY


def test_an_error_that_the_edge_took_from_what_runs_now_counts() -> None:
    judgement, site, _ = proven(lambda number: [kept(2)] * 3)  # in the second round, 5 seconds later, it is of now
    assert judgement.verdict is Verdict.UNHEALTHY
    assert len(site.began) == 3


def test_an_endpoint_that_fails_by_itself_is_not_excused_by_its_cache() -> None:
    judgement, site, _ = proven(lambda number: [bad(), kept(0), kept(0)] if number == 0 else [kept(4)] * 3)
    assert judgement.verdict is Verdict.UNHEALTHY
    assert len(site.began) == 2


def test_a_cache_that_keeps_an_error_for_minutes_shows_it_to_users_and_is_not_healthy() -> None:
    judgement, site, _ = proven(lambda number: [kept(5 * number + 100)] * 3)
    assert judgement.verdict is Verdict.UNHEALTHY
    assert site.began[-1] - site.began[0] == PATIENCE_WITH_CACHES + 5.0
