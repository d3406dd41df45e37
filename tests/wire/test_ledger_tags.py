"""The ledger as tags tell it: the same answers as from the records, from few calls, and of this environment only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.edges.aws.session import NotAllowed
from deploykit.errors import FailedBefore
from deploykit.ledger.read import find_destination
from deploykit.ledger.running import live_of, running_release
from deploykit.ledger.store import open_store
from deploykit.ledger.tags import Revision, releases_of, tagged_releases
from deploykit.model.release import Verdict
from deploykit.targets.ecs.observe import observe
from tests.simulator import serve
from tests.unit.ledger_kit import Simulated, arn, entry, release, sha, world

# -- pure ------------------------------------------------------------------------------------------------------------


def revision(
    service: str, number: int, of: int, verdict: Verdict | None = Verdict.HEALTHY, live: bool = False
) -> Revision:
    return Revision(service, arn(service, number), release(of), sha(of), verdict, f"registry/{service}@sha256:1", live)


def ran(revisions: list[Revision], number: int) -> dict[str, str]:
    (found,) = [e for e in releases_of(revisions) if e.id == release(number)]
    return {key: service.task_definition.rpartition("/")[2] for key, service in found.services.items()}


def test_a_service_that_a_release_did_not_change_ran_its_newest_proven_revision() -> None:
    revisions = [
        revision("api", 1, 1),
        revision("api", 2, 2),
        revision("api", 4, 4),
        revision("web", 1, 1),
        revision("web", 2, 3, Verdict.UNHEALTHY),
    ]
    assert ran(revisions, 4) == {"api": "api:4", "web": "web:1"}
    assert ran(revisions, 3) == {"api": "api:2", "web": "web:2"}
    assert ran(revisions, 1) == {"api": "api:1", "web": "web:1"}


def test_what_runs_counts_though_it_was_withdrawn() -> None:
    revisions = [
        revision("api", 5, 5, live=True),
        revision("web", 1, 1),
        revision("web", 4, 4, Verdict.WITHDRAWN, live=True),
    ]
    assert ran(revisions, 5) == {"api": "api:5", "web": "web:4"}
    assert ran(revisions, 1) == {"web": "web:1"}


def test_a_release_is_worth_the_worst_of_its_revisions() -> None:
    revisions = [revision("api", 1, 1), revision("web", 1, 1, None), revision("api", 2, 2, Verdict.WITHDRAWN)]
    assert {e.id: e.verdict for e in releases_of(revisions)} == {release(1): None, release(2): Verdict.WITHDRAWN}


def test_a_revision_registered_again_stands_for_the_old_one() -> None:
    revisions = [revision("api", 1, 1, Verdict.WITHDRAWN), revision("api", 7, 1), revision("web", 1, 1)]
    (found,) = releases_of(revisions)
    assert (found.verdict, found.services["api"].task_definition) == (Verdict.HEALTHY, arn("api", 7))


# -- at the wire -----------------------------------------------------------------------------------------------------


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    with world(monkeypatch, tmp_path) as made:
        serve(made.sim, "api", count=1)
        serve(made.sim, "web", count=1)
        yield made


def three_releases(there: Simulated) -> dict[str, str]:
    """Release 1 of both, 2 of api, 3 of web; all healthy, the third runs. Their ARNs by name and release."""
    made = {
        "api1": there.revision("api", 1),
        "web1": there.revision("web", 1),
        "api2": there.revision("api", 2),
        "web3": there.revision("web", 3),
    }
    there.run("api", made["api2"])
    there.run("web", made["web3"])
    return made


def went(there: Simulated, to: str | None = None, state: str | None = None) -> tuple[str, dict[str, str]]:
    configuration = there.configuration("api", "web", state=state)
    observed = observe(configuration, there.aws)
    found, _, _ = find_destination(configuration, there.aws, observed, there.world.progress, to)
    return found.release, dict(found.revisions)


def test_a_rollback_is_found_from_tags_alone(there: Simulated) -> None:
    made = three_releases(there)
    assert went(there) == (release(2), {"web": made["web1"]})
    there.run("web", made["web1"])
    assert went(there) == (release(1), {"api": made["api1"]})


def test_tags_tell_which_release_runs(there: Simulated) -> None:
    three_releases(there)
    observed = observe(there.configuration("api", "web"), there.aws)
    entries = tagged_releases(there.aws, observed, "dev")
    assert running_release(entries, live_of(observed)).release == release(3)
    assert (entries[0].sha, entries[0].verdict, entries[0].environment) == (sha(3), Verdict.HEALTHY, "dev")


def test_a_deregistered_revision_is_found_too(there: Simulated) -> None:
    made = three_releases(there)
    there.sim.ecs.deregister_task_definition({"taskDefinition": made["web1"]})
    assert went(there) == (release(2), {"web": made["web1"]})


def test_another_environments_revisions_of_the_same_family_do_not_count(there: Simulated) -> None:
    made = three_releases(there)
    there.revision("web", 2, environment="prod")
    assert went(there) == (release(2), {"web": made["web1"]})
    with pytest.raises(FailedBefore):
        went(there, to="0000009")


def test_revisions_that_terraform_registered_do_not_count(there: Simulated) -> None:
    made = three_releases(there)
    body = there.sim.state.definitions["web"][0].body
    by_hand = there.sim.ecs.register_task_definition(dict(body))["taskDefinition"]["taskDefinitionArn"]
    there.run("web", by_hand)
    assert went(there) == (release(3), {"web": made["web3"]})


def test_a_long_history_is_not_read_to_its_end(there: Simulated) -> None:
    for number in range(1, 60):
        made = there.revision("api", number)
    there.run("api", made)
    there.run("web", there.revision("web", 59))
    there.revision("web", 1)
    with there.sim.recording() as calls:
        assert went(there)[0] == release(58)
    operations = [call.operation for call in calls]
    assert operations.count("ListTaskDefinitions") <= 4
    assert operations.count("DescribeTaskDefinition") <= 2 + 2 * 8


def test_a_service_that_seldom_changes_is_looked_up_as_far_back_as_it_takes(there: Simulated) -> None:
    first = there.revision("web", 1)
    for number in range(2, 40):
        there.revision("web", number, verdict="unhealthy")
    second, third = there.revision("api", 40), there.revision("api", 41)
    there.run("api", third)
    there.run("web", there.revision("web", 41))
    assert went(there) == (release(40), {"api": second, "web": first})


def test_without_a_verified_revision_the_candidates_are_offered(there: Simulated) -> None:
    there.revision("api", 1, verdict=None)
    there.run("api", there.revision("api", 2))
    there.run("web", there.revision("web", 2))
    with pytest.raises(FailedBefore, match="no verified release") as raised:
        went(there)
    assert f"deploykit rollback --to {sha(1)[:12]}" in raised.value.hint


def test_no_permission_to_read_tags_either_is_said(there: Simulated) -> None:
    three_releases(there)
    configuration = there.configuration("api", "web")
    observed = observe(configuration, there.aws)
    there.sim.faults.deny("ListTaskDefinitions")
    with pytest.raises(NotAllowed, match="ecs:ListTaskDefinitions"):
        find_destination(configuration, there.aws, observed, there.world.progress)


# -- the ledger first, tags where it does not reach ------------------------------------------------------------------


def written(there: Simulated, *numbers: int, **more: object) -> None:
    store = open_store("s3://state/dev", there.aws, there.root)
    assert store is not None
    revisions = {1: (2, 2), 2: (3, 2), 3: (3, 3)}
    for number in numbers:
        api, web = revisions[number]
        store.create(entry(number, {"api": api, "web": web}, {1: None, 2: "api", 3: "web"}[number], **more))  # type: ignore[arg-type]


def test_the_ledger_is_believed_before_tags(there: Simulated) -> None:
    made = three_releases(there)
    there.bucket()
    written(there, 1, 3)
    written(there, 2, verdict=Verdict.UNHEALTHY)
    with there.sim.recording() as calls:
        assert went(there, state="s3://state/dev") == (release(1), {"api": made["api1"], "web": made["web1"]})
    assert not any(call.operation == "ListTaskDefinitions" for call in calls)
    assert there.warnings == []


@pytest.mark.parametrize("trouble", ["no bucket", "not allowed", "no answer"])
def test_a_ledger_that_cannot_be_read_is_a_warning_and_tags_tell(there: Simulated, trouble: str) -> None:
    made = three_releases(there)
    if trouble != "no bucket":
        there.bucket()
    if trouble == "not allowed":
        there.sim.faults.deny("ListObjectsV2", service="s3")
    if trouble == "no answer":
        there.sim.faults.fail("ListObjectsV2", times=None)
    assert went(there, state="s3://state/dev") == (release(2), {"web": made["web1"]})
    assert "the ledger cannot be read" in there.warnings[0]


def test_releases_before_the_ledgers_first_entry_are_found_by_their_tags(there: Simulated) -> None:
    made = three_releases(there)
    there.bucket()
    written(there, 3)
    assert went(there, state="s3://state/dev") == (release(2), {"web": made["web1"]})


def test_an_empty_ledger_is_no_reason_to_stay(there: Simulated) -> None:
    made = three_releases(there)
    there.bucket()
    assert went(there, state="s3://state/dev") == (release(2), {"web": made["web1"]})
    assert there.warnings == []


def test_another_environments_records_in_the_same_place_do_not_count(there: Simulated) -> None:
    made = three_releases(there)
    there.bucket()
    written(there, 1, 3)
    written(there, 2, environment="prod")
    assert went(there, state="s3://state/dev") == (release(1), {"api": made["api1"], "web": made["web1"]})


def test_a_named_commit_is_found_however_old_its_record(there: Simulated) -> None:
    made = three_releases(there)
    there.bucket()
    written(there, 1, 2, 3)
    store = open_store("s3://state/dev", there.aws, there.root)
    assert store is not None
    for number in range(4, 64):
        store.create(entry(number, {"api": 3, "web": 3}, changed=""))
    with there.sim.recording() as calls:
        assert went(there, sha(1)[:7], "s3://state/dev") == (release(1), {"api": made["api1"], "web": made["web1"]})
    assert [call.operation for call in calls].count("GetObject") == 51
