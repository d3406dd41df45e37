"""status, history and logs: what runs, what was released, what was written."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploykit.commands.history import history
from deploykit.commands.logs import lines_of
from deploykit.commands.status import status
from deploykit.errors import FailedBefore, UsageError
from deploykit.ledger.store import Store, open_store
from deploykit.model.release import Outcome, Verdict
from deploykit.model.status import ReleaseStatus, ServiceStatus
from tests.simulator import serve
from tests.simulator.small import Line
from tests.unit.ledger_kit import Simulated, arn, entry, release, rolled_back, sha, world

STATE = "s3://state/dev"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulated]:
    with world(monkeypatch, tmp_path) as made:
        serve(made.sim, "api", count=1)
        serve(made.sim, "web", count=2)
        made.bucket()
        yield made


@pytest.fixture
def store(there: Simulated) -> Store:
    """Release 1 of both services and release 2 of web, which runs."""
    there.run("api", there.revision("api", 1))
    there.revision("web", 1)
    there.run("web", there.revision("web", 2))
    opened = open_store(STATE, there.aws, there.root)
    assert opened is not None
    opened.create(entry(1, {"api": 2, "web": 2}))
    opened.create(entry(2, {"api": 2, "web": 3}, changed="web", by="grace"))
    return opened


def test_status_says_what_runs_since_when_and_by_whom(there: Simulated, store: Store) -> None:
    found = status(there.configuration("api", "web", state=STATE), there.world)
    assert found.release == ReleaseStatus(release(2), sha(2), Verdict.HEALTHY)
    api, web = found.services["api"], found.services["web"]
    assert (api.sha, api.by, api.desired, api.running) == (sha(1), "ada", 1, 1)
    assert (web.sha, web.by, web.desired, web.running) == (sha(2), "grace", 2, 2)
    assert web.task_definition == arn("web", 3)
    assert web.digest
    assert (web.image or "").endswith(web.digest)
    assert web.rollout == "completed"
    assert web.since is not None
    assert found.drift == ()


def test_after_a_rollback_the_release_gone_back_to_is_said_to_run(there: Simulated, store: Store) -> None:
    there.run("web", arn("web", 2))
    store.create(replace(rolled_back(3, {"api": 2, "web": 2}, "web", target=1), by="joan"))
    found = status(there.configuration("api", "web", state=STATE), there.world)
    assert found.release.id == release(1)
    assert found.services["web"].by == "joan"


def test_a_change_by_hand_is_drift(there: Simulated, store: Store) -> None:
    body = there.sim.state.definitions["web"][0].body
    image = f"{there.sim.ecr.host}/web@{there.sim.push('web', 'by hand')}"
    container = {**body["containerDefinitions"][0], "image": image}
    made = there.sim.ecs.register_task_definition({**body, "containerDefinitions": [container]})
    there.run("web", made["taskDefinition"]["taskDefinitionArn"])
    found = status(there.configuration("api", "web", state=STATE), there.world)
    assert found.release == ReleaseStatus()
    assert [(d.service, d.path, d.running) for d in found.drift] == [
        ("web", "task_definition", arn("web", 4)),
        ("web", "containerDefinitions.web.image", image),
    ]
    assert found.drift[0].released == arn("web", 3)


def test_a_release_that_was_killed_shows_as_running_without_a_verdict(there: Simulated, store: Store) -> None:
    there.run("web", there.revision("web", 3, verdict=None))
    store.create(entry(3, {"api": 2, "web": 3}, changed="", verdict=None, outcome=None))
    found = status(there.configuration("api", "web", state=STATE), there.world)
    assert found.release == ReleaseStatus(release(3), sha(3), None)


def test_without_a_ledger_tags_say_what_runs(there: Simulated, store: Store) -> None:
    found = status(there.configuration("api", "web"), there.world)
    assert found.release == ReleaseStatus(release(2), sha(2), Verdict.HEALTHY)
    assert found.services["web"].by is None


def test_before_the_first_release_nothing_is_made_up(there: Simulated) -> None:
    found = status(there.configuration("api", "web", state=STATE), there.world)
    assert (found.release, found.drift) == (ReleaseStatus(), ())
    assert found.services["api"].running == 1
    assert found.services["api"].sha is None


def test_a_missing_service_is_said_and_hides_no_other(there: Simulated, store: Store) -> None:
    found = status(there.configuration("api", "web", "worker", state=STATE), there.world)
    assert found.services["worker"] == ServiceStatus()
    assert found.release.id == release(2)
    assert there.warnings == ["service worker does not exist in cluster default"]


def test_history_lists_what_changed_the_environment_newest_first(there: Simulated, store: Store) -> None:
    store.create(replace(rolled_back(3, {"api": 2, "web": 2}, "web", target=1), reason="prices"))
    store.create(entry(4, {"api": 9, "web": 9}, verdict=None, outcome=Outcome.REFUSED))
    found = history(there.configuration("api", "web", state=STATE), there.world, 10).releases
    assert [(item.id, item.kind, item.reason) for item in found] == [
        (release(3), "rollback", "prices"),
        (release(2), "deploy", None),
        (release(1), "deploy", None),
    ]
    assert found[0].outcome is Outcome.ROLLED_BACK


def test_history_needs_the_ledger_only(there: Simulated, store: Store) -> None:
    configuration = there.configuration("api", "web", state=STATE)
    with there.sim.recording() as calls:
        (newest,) = history(configuration, there.world, 1).releases
    assert newest.id == release(2)
    assert [call.operation for call in calls] == ["ListObjectsV2", "GetObject"]


def test_history_names_a_record_that_cannot_be_read(there: Simulated, store: Store) -> None:
    store.objects.create(f"releases/{release(9)}.json", b"not json")
    assert len(history(there.configuration("api", "web", state=STATE), there.world).releases) == 2
    assert release(9) in there.warnings[0]


def test_history_without_a_ledger_comes_from_tags(there: Simulated, store: Store) -> None:
    found = history(there.configuration("api", "web"), there.world).releases
    assert [(item.id, item.verdict, item.by) for item in found] == [
        (release(2), Verdict.HEALTHY, None),
        (release(1), Verdict.HEALTHY, None),
    ]


# -- logs ------------------------------------------------------------------------------------------------------------


def wrote(there: Simulated, *lines: str, container: str = "web", task: str = "0a1b") -> None:
    there.sim.logs.write("/ecs/web", f"ecs/{container}/{task}", list(lines))


def test_logs_are_the_containers_lines_of_the_last_minutes(there: Simulated) -> None:
    wrote(there, "too old")
    there.sim.clock.advance(700)
    wrote(there, "one", "two")
    wrote(there, "a sidecar's", container="proxy")
    wrote(there, "three", task="2c3d")
    found = [line.text for line in lines_of(there.configuration("web"), there.world, "web", 600)]
    assert sorted(found) == ["one", "three", "two"]


def test_a_line_that_cloudwatch_lists_late_is_not_lost(there: Simulated) -> None:
    wrote(there, "first")
    lines = lines_of(there.configuration("web"), there.world, "web", 60, follow=True)
    assert next(lines).text == "first"
    there.sim.clock.advance(10)
    wrote(there, "third")
    assert next(lines).text == "third"
    late = int((there.sim.clock.stamp - 8) * 1000)
    there.sim.logs.lines.append(Line("/ecs/web", "ecs/web/0a1b", late, "second", 999))
    assert next(lines).text == "second"


def test_following_shows_each_line_once(there: Simulated) -> None:
    wrote(there, "first")
    lines = lines_of(there.configuration("web"), there.world, "web", 60, follow=True)
    assert next(lines).text == "first"
    there.sim.clock.after(5, lambda: wrote(there, "second"))
    assert next(lines).text == "second"
    there.sim.clock.after(1, lambda: wrote(there, "third", "fourth"))
    assert [line.text for line in itertools.islice(lines, 2)] == ["third", "fourth"]


def test_a_service_that_does_not_exist_is_a_mistake_of_the_command_line(there: Simulated) -> None:
    with pytest.raises(UsageError, match="no service 'wbe'") as raised:
        lines_of(there.configuration("api", "web"), there.world, "wbe")
    assert raised.value.hint == "did you mean web?"


def test_logs_that_go_elsewhere_are_said_to(there: Simulated) -> None:
    body = there.sim.state.definitions["web"][0].body
    container = {**body["containerDefinitions"][0], "logConfiguration": {"logDriver": "awsfirelens"}}
    made = there.sim.ecs.register_task_definition({**body, "containerDefinitions": [container]})
    there.run("web", made["taskDefinition"]["taskDefinitionArn"])
    with pytest.raises(FailedBefore, match="uses the log driver awsfirelens"):
        lines_of(there.configuration("web"), there.world, "web")


def test_a_missing_log_group_is_named(there: Simulated) -> None:
    there.sim.logs.groups.clear()
    with pytest.raises(FailedBefore, match="log group /ecs/web does not exist in us-east-1"):
        list(lines_of(there.configuration("web"), there.world, "web"))
