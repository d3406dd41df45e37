"""Where a rollback goes: back to what was proven, never to and fro, never by guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from deploykit.errors import ExitCode
from deploykit.ledger.choose import Destination, NoDestination, choose
from deploykit.ledger.running import LiveRevision
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import Outcome, Verdict
from tests.unit.ledger_kit import arn, entry, live, newest_first, release, rolled_back, sha

FIRST = entry(1, {"api": 1, "web": 1})
SECOND = entry(2, {"api": 2, "web": 1}, changed="api")
THIRD = entry(3, {"api": 3, "web": 2})
ALL = newest_first(FIRST, SECOND, THIRD)
NOW = live(api=3, web=2)


def went(
    entries: Sequence[LedgerEntry], now: Mapping[str, LiveRevision], to: str | None = None, services: Sequence[str] = ()
) -> Destination:
    found = choose(entries, now, to, services)
    assert isinstance(found, Destination), found
    return found


def refused(
    entries: Sequence[LedgerEntry], now: Mapping[str, LiveRevision], to: str | None = None, services: Sequence[str] = ()
) -> NoDestination:
    found = choose(entries, now, to, services)
    assert isinstance(found, NoDestination), found
    assert found.refusal().code is ExitCode.FAILED_BEFORE
    return found


def test_a_rollback_goes_to_the_verified_release_before_the_running_one() -> None:
    target = went(ALL, NOW)
    assert target.release == release(2)
    assert target.revisions == {"api": arn("api", 2), "web": arn("web", 1)}
    assert target.withdraws == (release(3),)
    assert target.notes == ()


@pytest.mark.parametrize("verdict", [Verdict.UNHEALTHY, Verdict.INCONCLUSIVE, Verdict.WITHDRAWN, None])
def test_what_was_not_verified_is_passed_over(verdict: Verdict | None) -> None:
    assert went([THIRD, replace(SECOND, verdict=verdict), FIRST], NOW).release == release(1)


def test_an_unchecked_release_counts_as_verified() -> None:
    assert went([THIRD, replace(SECOND, verdict=Verdict.UNCHECKED), FIRST], NOW).release == release(2)


def test_a_withdrawn_release_is_passed_over() -> None:
    assert went([THIRD, replace(SECOND, withdrawn_by=release(9)), FIRST], NOW).release == release(1)


def test_a_release_that_was_put_back_is_passed_over() -> None:
    undone = replace(SECOND, outcome=Outcome.ROLLED_BACK, verdict=Verdict.HEALTHY)
    assert went([THIRD, undone, FIRST], NOW).release == release(1)


def test_a_release_of_uncommitted_changes_is_gone_to_only_when_named() -> None:
    dirty = replace(SECOND, sha=f"{sha(2)}-dirty-abc123")
    assert went([THIRD, dirty, FIRST], NOW).release == release(1)
    assert went([THIRD, dirty, FIRST], NOW, f"{sha(2)}-dirty-abc123").release == release(2)
    assert sha(2) in refused([THIRD, dirty, FIRST], NOW, sha(2)).reason


def test_steps_and_rollbacks_are_no_targets() -> None:
    step = entry(4, {"api": 4, "web": 2}, kind="step")
    assert went([entry(5, {"api": 5, "web": 2}), step, *ALL], live(api=5, web=2)).release == release(3)
    assert went([step, *ALL], live(api=4, web=2)).release == release(3)


def test_two_rollbacks_in_a_row_go_two_verified_releases_back() -> None:
    back = rolled_back(4, {"api": 2, "web": 1}, "api web", target=2)
    after = [back, replace(THIRD, withdrawn_by=back.id), SECOND, FIRST]
    second = went(after, live(api=2, web=1))
    assert (second.release, second.withdraws) == (release(1), (release(2),))
    assert second.revisions == {"api": arn("api", 1)}


def test_without_a_verified_release_the_candidates_are_offered() -> None:
    entries = [THIRD, replace(SECOND, verdict=None), replace(FIRST, verdict=Verdict.UNHEALTHY)]
    found = refused(entries, NOW, services=["api"])
    error = found.refusal()
    assert "no verified release" in error.message
    assert f"deploykit rollback api --to {sha(2)[:12]}  # without a verdict" in error.hint
    assert f"deploykit rollback api --to {sha(1)[:12]}  # unhealthy" in error.hint


def test_without_any_release_it_says_so() -> None:
    assert "none is recorded" in refused([], NOW).reason
    assert "no verified release before" in refused([FIRST], live(api=1, web=1)).reason
    assert "none of the services" in refused(ALL, {}).reason


def test_a_service_that_no_earlier_release_had_otherwise_is_told_so() -> None:
    found = refused([SECOND, FIRST], live(api=2, web=1), services=["web"])
    assert (
        found.reason
        == f"nothing to roll back to: every verified release before {release(2)} of {sha(2)[:12]} had the same web"
    )


def test_after_going_forward_again_the_withdrawn_release_stays_out() -> None:
    back = rolled_back(4, {"api": 2, "web": 1}, "api web", target=2)
    entries = [entry(5, {"api": 5, "web": 3}), back, replace(THIRD, withdrawn_by=back.id), SECOND, FIRST]
    assert went(entries, live(api=5, web=3)).release == release(2)


# -- named -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [sha(1), sha(1)[:7], sha(1)[:9].upper(), release(1)])
def test_a_release_is_named_by_its_commit_or_the_beginning_of_it(name: str) -> None:
    target = went(ALL, NOW, name)
    assert (target.release, target.withdraws) == (release(1), (release(3),))


@pytest.mark.parametrize("name", ["abcdef0", "", " ", "zzz"])
def test_an_unknown_name_is_refused_with_what_there_is(name: str) -> None:
    found = refused(ALL, NOW, name)
    assert [entry.id for entry in found.candidates] == [release(2), release(1)]


def test_an_ambiguous_name_lists_what_it_fits() -> None:
    found = refused(ALL, NOW, "000000")
    assert "matches 3 releases" in found.reason
    assert len(found.candidates) == 3


def test_a_named_release_need_not_be_verified_but_it_is_said() -> None:
    target = went([THIRD, SECOND, replace(FIRST, verdict=Verdict.UNHEALTHY)], NOW, sha(1))
    assert target.release == release(1)
    assert "unhealthy" in target.notes[0]


def test_a_named_release_that_was_put_back_is_refused() -> None:
    undone = replace(SECOND, outcome=Outcome.ROLLED_BACK, verdict=Verdict.UNHEALTHY)
    assert "rolled back" in refused([THIRD, undone, FIRST], NOW, sha(2)).reason


def test_of_several_releases_of_a_commit_the_verified_one_is_meant() -> None:
    again = entry(4, {"api": 4, "web": 2}, verdict=Verdict.UNHEALTHY, outcome=Outcome.FAILED, sha=sha(1))
    assert went([again, *ALL], live(api=4, web=2), sha(1)).release == release(1)


def test_naming_a_newer_release_goes_forward_and_withdraws_nothing() -> None:
    back = rolled_back(4, {"api": 1, "web": 1}, "api web", target=1)
    target = went([back, replace(THIRD, withdrawn_by=back.id), SECOND, FIRST], live(api=1, web=1), sha(3))
    assert (target.release, target.withdraws) == (release(3), ())


def test_naming_the_running_release_changes_nothing() -> None:
    target = went(ALL, NOW, sha(3))
    assert (target.revisions, target.withdraws) == ({}, ())


# -- some services ---------------------------------------------------------------------------------------------------


def test_for_some_services_only_those_change_and_the_whole_release_is_withdrawn() -> None:
    target = went(ALL, NOW, services=["web"])
    assert (target.release, target.withdraws) == (release(2), (release(3),))
    assert target.revisions == {"web": arn("web", 1)}


def test_releases_that_would_not_change_the_service_are_passed_over() -> None:
    fourth = entry(4, {"api": 4, "web": 2}, changed="api")
    assert went([fourth, *ALL], live(api=4, web=2), services=["web"]).release == release(2)


def test_the_other_service_follows_to_the_same_release() -> None:
    back = rolled_back(4, {"api": 2, "web": 2}, "api", target=2)
    entries = [back, replace(THIRD, withdrawn_by=back.id), SECOND, FIRST]
    target = went(entries, live(api=2, web=2), services=["web"])
    assert (target.release, target.revisions) == (release(2), {"web": arn("web", 1)})


def test_services_that_the_release_does_not_have_are_left_alone() -> None:
    target = went(ALL, live(api=3, web=2, worker=4))
    assert set(target.revisions) == {"api", "web"}
    assert "worker" in target.notes[0]
    assert "none of worker" in refused(ALL, live(api=3, worker=4), sha(1), services=["worker"]).reason


# -- changed by hand -------------------------------------------------------------------------------------------------


def test_a_service_changed_by_hand_goes_back_to_the_last_verified_release() -> None:
    target = went(ALL, live(api=9, web=2))
    assert (target.release, target.revisions) == (release(3), {"api": arn("api", 3)})
    assert target.withdraws == ()
    assert "api runs api:9 which no release recorded" in target.notes[0]


def test_a_service_set_back_by_hand_never_goes_forward_again() -> None:
    target = went(ALL, live(api=2, web=2))
    assert (target.release, target.revisions) == (release(2), {"web": arn("web", 1)})
    assert target.withdraws == (release(3),)


def test_everything_registered_anew_by_hand_goes_back_to_the_newest_verified_release() -> None:
    target = went(ALL, live(api=9, web=9))
    assert target.release == release(3)
    assert set(target.revisions) == {"api", "web"}


def test_a_revision_older_than_every_release_has_nothing_to_go_back_to() -> None:
    entries = newest_first(entry(1, {"api": 11, "web": 1}), entry(2, {"api": 12, "web": 2}))
    found = refused(entries, live(api=10, web=2))
    assert "api:10 which no release recorded" in found.reason
    assert len(found.candidates) == 2


def test_a_killed_deploy_is_left_for_the_release_before_it() -> None:
    killed = entry(4, {"api": 3, "web": 2}, changed="", verdict=None, outcome=None)
    now = {"api": LiveRevision(arn("api", 4), release(4)), "web": LiveRevision(arn("web", 2), release(3))}
    target = went([killed, *ALL], now)
    assert (target.release, target.revisions) == (release(3), {"api": arn("api", 3)})
    assert target.withdraws == (release(4),)


def test_a_revision_registered_again_is_gone_to_under_its_newest_number() -> None:
    back = rolled_back(4, {"api": 2, "web": 7}, "api web", target=2)
    fifth = entry(5, {"api": 5, "web": 8})
    target = went(newest_first(*ALL, back, fifth), live(api=5, web=8), sha(2))
    assert target.revisions == {"api": arn("api", 2), "web": arn("web", 7)}
    again = went([back, replace(THIRD, withdrawn_by=back.id), SECOND, FIRST], live(api=2, web=7))
    assert again.revisions == {"api": arn("api", 1)}
