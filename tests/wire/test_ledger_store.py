"""The store in a bucket and in a folder: nobody overwrites what they have not read; a bad record hides no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.edges.aws.session import NotAllowed
from deploykit.edges.objects import AlreadyExists, Conflict, NotFound
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.ledger.codec import BrokenRecord
from deploykit.ledger.store import Store, open_store, release_id, update
from deploykit.model.ledger import LedgerEntry
from tests.unit.ledger_kit import Simulated, entry, release, sha, world

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    with world(monkeypatch, tmp_path) as made:
        yield made


@pytest.fixture(params=["s3://state/shop/dev", "state/dev"])
def store(request: pytest.FixtureRequest, there: Simulated) -> Store:
    there.bucket()
    opened = open_store(request.param, there.aws, there.root)
    assert opened is not None
    return opened


def named(number: int, reason: str) -> LedgerEntry:
    return entry(number, {"web": number}, reason=reason)


def test_an_entry_is_read_as_it_was_created(store: Store) -> None:
    stored = store.create(named(1, "first"))
    assert store.read(release(1)) == stored


def test_an_id_in_use_is_not_written_over(store: Store) -> None:
    store.create(named(1, "first"))
    with pytest.raises(AlreadyExists, match=release(1)):
        store.create(named(1, "second"))
    assert store.read(release(1)).entry.reason == "first"


def test_replacing_needs_the_version_that_stands_there(store: Store) -> None:
    old = store.create(named(1, "first"))
    store.replace(named(1, "second"), old.version)
    with pytest.raises(Conflict, match="another run"):
        store.replace(named(1, "third"), old.version)
    assert store.read(release(1)).entry.reason == "second"


def test_what_is_gone_is_neither_read_nor_replaced(store: Store) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        store.read(release(1))
    with pytest.raises(NotFound):
        store.replace(named(1, "first"), "version")


def test_only_the_version_that_was_read_is_deleted(store: Store) -> None:
    kept = store.objects.create("lease.json", b"mine")
    with pytest.raises(Conflict):
        store.objects.delete("lease.json", '"other"')
    store.objects.delete("lease.json", kept)
    store.objects.delete("lease.json", kept)
    assert store.objects.names("lease") == []


def test_a_store_that_was_never_written_to_is_empty(store: Store) -> None:
    assert store.newest().entries == ()


def test_the_newest_entries_come_first(store: Store) -> None:
    for number in (3, 1, 30, 2):
        store.create(named(number, ""))
    assert [e.id for e in store.newest().entries] == [release(n) for n in (30, 3, 2, 1)]
    assert [e.id for e in store.newest(2).entries] == [release(30), release(3)]


def test_entries_are_found_by_their_commit_whatever_their_age(store: Store) -> None:
    for number in range(1, 5):
        store.create(named(number, ""))
    assert [e.sha for e in store.newest(sha=sha(2)).entries] == [sha(2)]
    assert [e.sha for e in store.newest(sha="0000003").entries] == [sha(3)]


def test_other_files_beside_the_records_are_passed_over(store: Store) -> None:
    store.create(named(1, ""))
    for name in ("lease.json", "releases/notes.txt", "releases/old/20250101T000000Z-1a2b3c4.json", "health/a.json"):
        store.objects.create(name, b"{}")
    assert store.ids() == [release(1)]


def test_one_broken_record_is_named_and_hides_no_other(store: Store) -> None:
    for number in (1, 3):
        store.create(named(number, ""))
    store.objects.create(f"releases/{release(2)}.json", b'{"schema": 1, "id": "202')
    listing = store.newest()
    assert [e.id for e in listing.entries] == [release(3), release(1)]
    (problem,) = listing.broken
    assert f"releases/{release(2)}.json" in problem.message
    assert store.place in problem.message
    with pytest.raises(BrokenRecord):
        store.read(release(2))


def test_a_record_that_is_deleted_after_it_was_listed_hides_no_other(bucket: Store, there: Simulated) -> None:
    for number in (1, 2, 3):
        bucket.create(named(number, ""))
    there.sim.faults.fail("GetObject", "NoSuchKey", "The specified key does not exist.", 404, 1)
    assert len(bucket.newest().entries) == 2
    assert len(bucket.newest().entries) == 3


def test_side_by_side_updates_all_arrive(store: Store, there: Simulated) -> None:
    store.create(named(1, ""))
    clock = there.world.clock

    def add(letter: str) -> None:
        update(store, release(1), lambda e: replace(e, reason=(e.reason or "") + letter), clock)

    threads = [threading.Thread(target=add, args=(letter,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.read(release(1)).entry.reason or "") == list("abcd")


def test_an_update_that_changes_nothing_writes_nothing(store: Store) -> None:
    before = store.create(named(1, "same"))
    assert update(store, release(1), lambda e: e).version == before.version


def test_an_update_does_not_try_for_ever(store: Store, there: Simulated) -> None:
    store.create(named(1, ""))
    tries: list[str] = []

    def overtaken(old: LedgerEntry) -> LedgerEntry:
        tries.append("")
        stored = store.read(release(1))
        store.replace(replace(stored.entry, reason=f"other {len(tries)}"), stored.version)
        return replace(old, by="me")

    with pytest.raises(Conflict):
        update(store, release(1), overtaken, there.world.clock)
    assert 2 <= len(tries) <= 10


def test_without_state_there_is_no_store(there: Simulated) -> None:
    assert open_store(None, there.aws, there.root) is None


# -- the bucket ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(there: Simulated) -> Store:
    there.bucket()
    opened = open_store("s3://state/shop/dev", there.aws, there.root)
    assert opened is not None
    return opened


def test_records_stand_under_the_prefix(bucket: Store, there: Simulated) -> None:
    bucket.create(named(1, ""))
    assert list(there.bucket()) == [f"shop/dev/releases/{release(1)}.json"]
    assert bucket.place == "s3://state/shop/dev"


def test_a_write_whose_answer_was_lost_is_known_as_ours(bucket: Store, there: Simulated) -> None:
    there.sim.faults.cut("PutObject", executed=True)
    first = bucket.create(named(1, "mine"))
    there.sim.faults.cut("PutObject", executed=True)
    second = bucket.replace(named(1, "mine still"), first.version)
    assert bucket.read(release(1)) == second
    assert there.sim.count("PutObject") == 4


def test_a_write_that_meets_another_one_under_way_is_done_again(bucket: Store, there: Simulated) -> None:
    bucket.create(named(1, ""))
    there.sim.faults.fail("PutObject", "ConditionalRequestConflict", "The conditional request cannot succeed", 409)
    update(bucket, release(1), lambda e: replace(e, reason="in the end"), there.world.clock)
    assert bucket.read(release(1)).entry.reason == "in the end"


def test_a_missing_bucket_says_what_to_type(there: Simulated) -> None:
    opened = open_store("s3://nobody-made-this/dev", there.aws, there.root)
    assert opened is not None
    for act in (opened.newest, lambda: opened.create(named(1, "")), lambda: opened.read(release(1))):
        with pytest.raises(FailedBefore, match="nobody-made-this does not exist") as raised:
            act()
        assert raised.value.hint.startswith("aws s3api create-bucket --bucket nobody-made-this --region us-east-1\n")
        assert not isinstance(raised.value, NotFound)


@pytest.mark.parametrize(
    ("operation", "action"),
    [("ListObjectsV2", "s3:ListBucket"), ("GetObject", "s3:GetObject"), ("PutObject", "s3:PutObject")],
)
def test_a_missing_permission_is_named_with_the_bucket(
    bucket: Store, there: Simulated, operation: str, action: str
) -> None:
    bucket.create(named(1, ""))
    there.sim.faults.deny(operation, service="s3")
    acts: dict[str, Callable[[], object]] = {
        "PutObject": lambda: bucket.create(named(2, "")),
        "ListObjectsV2": bucket.newest,
    }
    with pytest.raises(NotAllowed, match=f"{action} .*bucket state") as raised:
        acts.get(operation, lambda: bucket.read(release(1)))()
    assert raised.value.action == action


def test_more_records_than_one_page_holds_are_all_listed(bucket: Store, there: Simulated) -> None:
    bucket.create(named(1, ""))
    (stored,) = there.bucket().values()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(1500):
        stamp = (start + timedelta(minutes=minute)).strftime("%Y%m%dT%H%M%SZ")
        there.bucket()[f"shop/dev/releases/{stamp}-1a2b3c4.json"] = stored
    with there.sim.recording() as calls:
        newest = bucket.newest(5)
    assert len(bucket.ids()) == 1501
    assert len(newest.entries) == 5
    assert [call.operation for call in calls].count("GetObject") == 5


# -- the folder ------------------------------------------------------------------------------------------------------


def test_a_folder_is_beside_the_configuration_file(there: Simulated) -> None:
    opened = open_store("state/dev", there.aws, there.root)
    assert opened is not None
    opened.create(named(1, ""))
    assert (there.root / "state/dev/releases" / f"{release(1)}.json").is_file()


def test_a_folder_that_cannot_be_used_is_out_of_reach_and_not_empty(there: Simulated) -> None:
    (there.root / "state").write_text("a file where the folder should be")
    opened = open_store("state", there.aws, there.root)
    assert opened is not None
    for act in (opened.newest, lambda: opened.create(named(1, ""))):
        with pytest.raises(OutOfReach, match=r"state folder .*/state"):
            act()


# -- ids -------------------------------------------------------------------------------------------------------------


def test_a_release_id_is_its_moment_in_utc_and_the_commit() -> None:
    assert release_id(NOON, "1a2b3c4d5e6f") == "20261121T120000Z-1a2b3c4"
    assert release_id(NOON.astimezone(timezone(timedelta(hours=2))), "1a2b3c4d5e6f") == "20261121T120000Z-1a2b3c4"


def test_two_releases_in_one_second_get_two_ids() -> None:
    first = release_id(NOON, "1a2b3c4")
    assert release_id(NOON, "1a2b3c4", first) == "20261121T120001Z-1a2b3c4"


@given(st.integers(-(10**6), 10**6), st.sampled_from(["0000000", "fffffff"]))
def test_a_new_id_sorts_behind_the_newest_whatever_the_clock_says(skew: int, commit: str) -> None:
    newest = "20261121T120000Z-8888888"
    assert release_id(NOON + timedelta(seconds=skew), commit, newest) > newest
