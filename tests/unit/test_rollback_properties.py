"""Rolling back again and again, over any history: strictly backwards through what was proven, then an honest end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import example, given
from hypothesis import strategies as st

from deploykit.ledger.choose import Destination, NoDestination, choose
from deploykit.ledger.running import LiveRevision, running_release
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import Outcome, Verdict
from tests.unit.ledger_kit import arn, entry, newest_first, release, rolled_back

SERVICES = ("api", "web", "worker")


@dataclass
class Account:
    """What runs, what is recorded, and how both change: deploys and rollbacks as the real ones leave them."""

    entries: list[LedgerEntry]
    runs: dict[str, int]
    registered: int = 100

    def deploy(self, changed: str, fate: str) -> None:
        number = len(self.entries) + 1
        before = dict(self.runs)
        for key in changed.split():
            self.registered += 1
            self.runs[key] = self.registered
        verdict, outcome = {
            "healthy": (Verdict.HEALTHY, Outcome.DEPLOYED),
            "unchecked": (Verdict.UNCHECKED, Outcome.DEPLOYED),
            "unsure": (Verdict.INCONCLUSIVE, Outcome.INCONCLUSIVE),
            "left": (Verdict.UNHEALTHY, Outcome.FAILED),
            "undone": (Verdict.UNHEALTHY, Outcome.ROLLED_BACK),
        }[fate]
        self.entries.append(entry(number, self.runs, changed, verdict, outcome))
        if fate == "undone":
            self.runs = before

    def live(self) -> Mapping[str, LiveRevision]:
        return {key: LiveRevision(arn(key, revision)) for key, revision in self.runs.items()}

    def newest(self) -> list[LedgerEntry]:
        return newest_first(*self.entries)

    def go(self, target: Destination, again: bool) -> None:
        """``again``: the old revisions were deregistered and are registered under new numbers."""
        for key, revision in target.revisions.items():
            self.registered += 1
            self.runs[key] = self.registered if again else int(revision.rpartition(":")[2])
        number = len(self.entries) + 1
        gone_to = next(i for i, e in enumerate(self.entries, 1) if e.id == target.release)
        self.entries.append(rolled_back(number, self.runs, " ".join(target.revisions), gone_to))
        back = release(number)
        self.entries = [
            replace(e, withdrawn_by=back) if e.id in target.withdraws
            else replace(e, withdrawn_by=None) if e.id == target.release
            else e
            for e in self.entries
        ]  # fmt: skip


def account(deploys: list[tuple[set[str], str]]) -> Account:
    made = Account([], dict.fromkeys(SERVICES, 1))
    for changed, fate in deploys:
        made.deploy(" ".join(sorted(changed)), fate)
    return made


changes = st.sets(st.sampled_from(SERVICES), min_size=1)
fates = st.sampled_from(["healthy", "healthy", "unchecked", "unsure", "left", "undone"])
histories = st.lists(st.tuples(changes, fates), max_size=12).map(account)


def verified(made: Account) -> set[str]:
    return {e.id for e in made.entries if e.kind == "deploy" and e.verdict and e.verdict.verified}


@given(histories, st.lists(st.booleans(), min_size=14, max_size=14))
def test_repeated_rollbacks_walk_strictly_backwards_and_end_honestly(made: Account, again: list[bool]) -> None:
    proven, visited = verified(made), []
    for registered_again in again:
        before = running_release(made.newest(), made.live()).release
        found = choose(made.newest(), made.live())
        if isinstance(found, NoDestination):
            break
        assert found.release in proven
        assert before is None or found.release < before
        assert found.revisions
        made.go(found, registered_again)
        assert running_release(made.newest(), made.live()).release == found.release
        visited.append(found.release)
    else:
        raise AssertionError("a rollback always found another target")
    assert visited == sorted(set(visited), reverse=True)
    assert "no verified release" in found.reason or "none is recorded" in found.reason


@given(histories, st.lists(st.tuples(st.booleans(), changes, fates), max_size=8))
def test_a_withdrawn_release_is_not_gone_to_again_whatever_is_deployed_between(
    made: Account, acts: list[tuple[bool, set[str], str]]
) -> None:
    left: set[str] = set()
    for back, changed, fate in acts:
        if not back:
            made.deploy(" ".join(sorted(changed)), fate)
            continue
        found = choose(made.newest(), made.live())
        if isinstance(found, Destination):
            assert found.release not in left
            left |= set(found.withdraws)
            made.go(found, again=False)


@example(
    account([({"api"}, "healthy"), ({"web", "api"}, "healthy"), ({"api"}, "healthy"), ({"api"}, "healthy")]),
    [({"web"}, False), ({"api"}, False), ({"web", "api"}, False)],
)
@given(histories, st.lists(st.tuples(changes, st.booleans()), min_size=1, max_size=10))
def test_rolling_back_some_services_at_a_time_never_takes_one_forward(
    made: Account, acts: list[tuple[set[str], bool]]
) -> None:
    for services, again in acts:
        found = choose(made.newest(), made.live(), services=services)
        if isinstance(found, NoDestination):
            continue
        assert set(found.revisions) <= services
        for key in found.revisions:
            place = running_release(made.newest(), made.live(), [key]).release
            assert place is None or found.release < place
        made.go(found, again)


@given(histories, changes)
def test_whatever_was_changed_by_hand_the_target_is_proven_and_something_changes(
    made: Account, by_hand: set[str]
) -> None:
    for key in by_hand:
        made.registered += 1
        made.runs[key] = made.registered
    found = choose(made.newest(), made.live())
    if isinstance(found, Destination):
        assert found.release in verified(made)
        assert by_hand <= set(found.revisions)
        assert found.notes
    else:
        assert not verified(made)
