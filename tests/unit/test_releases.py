"""Which release runs: the one whose revisions run."""

from __future__ import annotations

from dataclasses import replace

from deploykit.ledger.running import LiveRevision, Revisions, position, running_release, took_effect
from deploykit.model.release import Outcome, Verdict
from tests.unit.ledger_kit import arn, entry, live, newest_first, release, rolled_back

FIRST = entry(1, {"api": 1, "web": 1})
SECOND = entry(2, {"api": 2, "web": 1}, changed="api")
THIRD = entry(3, {"api": 2, "web": 2}, changed="web")
ALL = newest_first(FIRST, SECOND, THIRD)


def test_the_release_whose_every_revision_runs_is_the_running_one() -> None:
    for number, revisions in ((1, live(api=1, web=1)), (2, live(api=2, web=1)), (3, live(api=2, web=2))):
        found = running_release(ALL, revisions)
        assert found.release == release(number)
        assert found.entry is found.set_by


def test_a_mixture_of_releases_is_none_of_them() -> None:
    assert running_release(ALL, live(api=1, web=2)).release is None
    assert running_release(ALL, live(api=9, web=9)).release is None
    assert running_release([], live(api=1)).release is None


def test_a_release_that_was_put_back_does_not_run_though_it_lists_what_ran_before() -> None:
    undone = entry(4, {"api": 2, "web": 2}, verdict=Verdict.UNHEALTHY, outcome=Outcome.ROLLED_BACK)
    assert running_release([undone, *ALL], live(api=2, web=2)).release == release(3)


def test_a_run_that_changed_nothing_does_not_run() -> None:
    killed = entry(4, {"api": 2, "web": 2}, changed="", verdict=None, outcome=None)
    assert running_release([killed, *ALL], live(api=2, web=2)).release == release(3)


def test_a_release_that_failed_and_was_left_runs() -> None:
    left = entry(4, {"api": 3, "web": 2}, changed="api", verdict=Verdict.UNHEALTHY, outcome=Outcome.FAILED)
    assert running_release([left, *ALL], live(api=3, web=2)).release == release(4)


def test_a_step_that_rolled_out_runs() -> None:
    step = entry(4, {"api": 3, "web": 2}, changed="api", verdict=None, kind="step", command="rollout")
    assert running_release([step, *ALL], live(api=3, web=2)).release == release(4)


def test_after_a_rollback_the_release_gone_back_to_runs() -> None:
    back = rolled_back(4, {"api": 2, "web": 1}, "web", target=2)
    found = running_release([back, *ALL], live(api=2, web=1))
    assert (found.release, found.entry, found.set_by) == (release(2), SECOND, back)


def test_a_revision_registered_again_by_a_rollback_is_the_old_one() -> None:
    back = rolled_back(4, {"api": 2, "web": 7}, "web", target=2)
    assert running_release([back, *ALL], live(api=2, web=7)).release == release(2)
    later = entry(5, {"api": 3, "web": 7}, changed="api")
    assert running_release([later, back, *ALL], live(api=3, web=1)).release == release(5)
    revisions = Revisions([back, *ALL])
    assert revisions.same(arn("web", 7), arn("web", 1))
    assert not revisions.same(arn("web", 7), arn("web", 2))
    assert revisions.newest(arn("web", 1)) == arn("web", 7)


def test_registering_again_twice_is_still_the_old_one() -> None:
    once = rolled_back(4, {"api": 2, "web": 7}, "web", target=2)
    forward = entry(5, {"api": 2, "web": 8}, changed="web")
    twice = rolled_back(6, {"api": 2, "web": 9}, "web", target=2)
    assert running_release(newest_first(*ALL, once, forward, twice), live(api=2, web=9)).release == release(2)


def test_the_target_of_a_rollback_may_be_older_than_what_was_read() -> None:
    back = rolled_back(4, {"api": 2, "web": 1}, "web", target=2)
    found = running_release([back], live(api=2, web=1))
    assert (found.release, found.entry) == (release(2), None)


def test_for_some_services_only_theirs_are_compared() -> None:
    assert running_release(ALL, live(api=1, web=2), ["web"]).release == release(3)
    assert running_release(ALL, live(api=1, web=2), ["api"]).release == release(1)


def test_a_rollback_of_other_services_says_nothing_about_these() -> None:
    back = rolled_back(4, {"api": 1, "web": 2}, "api", target=1)
    assert running_release([back, *ALL], live(api=1, web=2)).release == release(1)
    assert running_release([back, *ALL], live(api=1, web=2), ["web"]).release == release(3)


def test_services_that_are_new_or_gone_say_nothing() -> None:
    assert running_release(ALL, live(api=2, web=2, worker=5)).release == release(3)
    assert running_release(ALL, live(api=2)).release == release(3)
    assert running_release(ALL, live(worker=5)).release is None


def test_a_refused_run_never_took_effect() -> None:
    assert not took_effect(replace(FIRST, outcome=Outcome.REFUSED))


def test_an_unknown_revision_stands_behind_the_lower_numbers_of_its_family() -> None:
    revisions = Revisions(ALL)
    by_hand = position(ALL, "api", LiveRevision(arn("api", 9)), revisions)
    assert (by_hand.exact, by_hand.until) == (False, release(3))
    between = position([entry(5, {"api": 6, "web": 2}), *ALL], "api", LiveRevision(arn("api", 4)), revisions)
    assert between.until == release(3)
    older = position([entry(5, {"api": 6, "web": 2})], "api", LiveRevision(arn("api", 4)), revisions)
    assert older.until == ""
    elsewhere = position(ALL, "api", LiveRevision(arn("terraformed", 1)), revisions)
    assert elsewhere.until is None


def test_a_killed_runs_revision_stands_at_the_release_it_is_tagged_with() -> None:
    found = position(ALL, "api", LiveRevision(arn("api", 9), release(4)), Revisions(ALL))
    assert (found.release, found.exact, found.until) == (release(4), True, release(3))
