"""A migration's task: the new image in its service's place, told line by line, and how it ended."""

from __future__ import annotations

import pytest

from tests.flow.migrations import NETWORK, entries, migrates, migrations, pushed, step, with_migration
from tests.flow.world import World, healthy
from tests.simulator.ecs_state import Behaviour


def test_a_migration_runs_in_the_new_image_before_any_service_changes(migrating: World) -> None:
    sha = migrating.commit("first", api=migrates(20, 0, "applied 001_users"))
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert step(done) == "done"
    (call,) = [c.params for c in migrating.sim.calls if c.operation == "RunTask"]
    assert call["taskDefinition"].endswith(":task-definition/dev-api:2")
    assert call["overrides"] == {"containerOverrides": [{"name": "api", "command": ["node", "migrate.js"]}]}
    assert (call["networkConfiguration"], call["launchType"], call["count"]) == (NETWORK, "FARGATE", 1)
    assert len(call["clientToken"]) <= 64
    (task,) = migrations(migrating)
    assert task.containers[0].digest == pushed(migrating, sha)
    assert done.calls.index("RunTask") < done.calls.index("UpdateService")
    assert "applied 001_users" in done.people
    assert done.count("RegisterTaskDefinition") == 2  # the rollout uses the revision that the migration ran
    assert migrating.running("api") == "dev-api:2"
    (entry,) = entries(migrating)
    record = entry["migrations"]["api"]
    assert (record["outcome"], record["exit_code"], record["task"]) == ("succeeded", 0, task.arn)
    assert task.started_by == f"deploykit/{entry['id']}/api"


def test_capacity_providers_take_the_place_of_a_launch_type(migrating: World) -> None:
    body = migrating.sim.state.services["dev", "dev-api"].body
    body["capacityProviderStrategy"] = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    migrating.commit("first")
    assert migrating.run("deploy").code == 0
    (call,) = [c.params for c in migrating.sim.calls if c.operation == "RunTask"]
    assert call["capacityProviderStrategy"] == body["capacityProviderStrategy"]
    assert "launchType" not in call


@pytest.mark.parametrize(
    ("behaviour", "finding", "words"),
    [
        (migrates(0.0, 1, "relation users exists"), "migration-failed", "exit code 1"),
        (healthy(pull_error="CannotPullContainerError: no space left"), "migration-not-started", "no space left"),
        (migrates(900.0), "migration-timed-out", "not done after 300 s"),
    ],
)
def test_a_failed_migration_touches_no_service_and_is_told_apart(
    migrating: World, behaviour: Behaviour, finding: str, words: str
) -> None:
    migrating.commit("first", api=behaviour)
    done = migrating.run("deploy")
    assert (done.code, done.document["outcome"], step(done)) == (6, "failed", "failed")
    assert done.count("UpdateService") == 0
    assert [migrating.running(key) for key in ("api", "web")] == ["dev-api:1", "dev-web:1"]
    (found,) = done.document["findings"]
    assert (found["id"], found["subject"]) == (finding, "api")
    assert words in found["summary"]
    assert "no service was touched" in done.document["error"]["message"]
    told = [text for text in found["evidence"] if text.startswith("log: ")]
    assert told == [f"log: {line}" for line in behaviour.log_lines]
    (entry,) = entries(migrating)
    assert (entry["outcome"], entry["verdict"]) == ("failed", None)
    assert all(task.last_status == "STOPPED" for task in migrations(migrating))


def test_a_failed_migration_runs_again_with_the_next_deploy(migrating: World) -> None:
    sha = migrating.commit("first", api=migrates(2.0, 3))
    assert migrating.run("deploy").code == 6
    migrating.sim.image(pushed(migrating, sha), migrates(2.0, 0))
    done = migrating.run("deploy")
    assert (done.code, done.count("RunTask"), step(done)) == (0, 1, "done")
    tokens = {c.params["clientToken"] for c in migrating.sim.calls if c.operation == "RunTask"}
    assert len(tokens) == 2


NO_ROOM = [
    "RESOURCE:MEMORY",
    "RESOURCE:CPU",
    "AGENT",
    "Capacity is unavailable at this time. Please try again later or in a different availability zone",
]


@pytest.mark.parametrize("reason", NO_ROOM)
def test_a_cluster_without_room_is_waited_for_and_said_so(migrating: World, reason: str) -> None:
    migrating.sim.state.no_capacity = reason
    migrating.commit("first")

    def room() -> None:
        migrating.sim.state.no_capacity = None

    migrating.sim.clock.after(100, room)
    done = migrating.run("deploy")
    assert (done.code, step(done), len(migrations(migrating))) == (0, "done", 1), done.people
    assert f"waiting for room: ECS could place no task ({reason})" in done.people
    assert 5 <= done.count("RunTask") <= 20
    tokens = [call.params["clientToken"] for call in migrating.sim.calls if call.operation == "RunTask"]
    assert len({*tokens}) == len(tokens)  # ECS answers a token that it knows with what it answered then
    assert max(map(len, tokens)) <= 64
    assert entries(migrating)[0]["migrations"]["api"]["attempt"] == 1


def test_no_room_until_the_timeout_is_told_in_the_words_of_ecs(migrating: World) -> None:
    migrating.sim.state.no_capacity = "RESOURCE:MEMORY"
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.document["findings"][0]["id"]) == (6, "migration-not-started")
    assert "RESOURCE:MEMORY" in done.document["error"]["message"]
    assert "within 300 s" in done.document["error"]["message"]
    assert 300 <= next(item["seconds"] for item in done.document["steps"] if item["name"] == "migrate") < 330
    migrating.sim.state.no_capacity = None
    assert migrating.run("deploy").code == 0


def test_a_task_that_ecs_will_never_place_is_not_waited_for(migrating: World) -> None:
    migrating.sim.state.no_capacity = "ATTRIBUTE"
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.document["findings"][0]["id"], done.count("RunTask")) == (6, "migration-not-started", 1)


def test_a_migration_that_people_stop_is_told_apart(migrating: World) -> None:
    migrating.commit("first", api=migrates(200.0))

    def stop() -> None:
        (task,) = migrations(migrating)
        migrating.sim.ecs.stop_task({"cluster": "dev", "task": task.arn, "reason": "ada: it locks the table"})

    migrating.sim.clock.after(60, stop)
    done = migrating.run("deploy")
    assert (done.code, done.document["findings"][0]["id"]) == (6, "migration-stopped")
    assert "ada: it locks the table" in done.document["error"]["message"]


def test_a_task_that_ends_at_once_is_seen_by_its_exit_code(migrating: World) -> None:
    migrating.commit("first", api=healthy(start=0.2, run_task=(0.0, 0)))
    done = migrating.run("deploy")
    assert (done.code, step(done)) == (0, "done")


def test_log_lines_come_while_it_runs(migrating: World) -> None:
    migrating.commit("first", api=migrates(60.0, 1, "one"))

    def write() -> None:
        (task,) = migrations(migrating)
        migrating.sim.logs.write("/ecs/api", f"ecs/api/{task.id}", ["two"])

    migrating.sim.clock.after(40, write)
    done = migrating.run("deploy")
    said = [line for line in done.people.splitlines() if line.endswith((" one", " two"))]
    shown = [line.split()[0] for line in said if not line.strip().startswith("log:")]
    assert len(shown) >= 2
    assert shown[0] < shown[1]
    assert done.document["findings"][0]["evidence"][-2:] == ["log: one", "log: two"]


def test_logs_that_may_not_be_read_fail_no_migration(migrating: World) -> None:
    migrating.sim.faults.deny("GetLogEvents", service="logs")
    migrating.commit("first", api=migrates(20.0, 0, "one"))
    done = migrating.run("deploy")
    assert done.code == 0
    assert "logs:GetLogEvents" in done.people


def test_throttled_polls_are_waited_out(migrating: World) -> None:
    migrating.sim.faults.throttle("DescribeTasks", 5, skip=1)
    migrating.commit("first", api=migrates(60.0))
    assert migrating.run("deploy").code == 0


def test_a_permission_that_lacks_fails_before_anything(migrating: World) -> None:
    migrating.sim.faults.deny("RunTask")
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.count("UpdateService")) == (3, 0)
    assert "ecs:RunTask" in done.document["error"]["message"]


def test_migrations_run_in_the_order_of_their_services_and_the_first_failure_ends_it(migrating: World) -> None:
    with_migration(migrating, "web", 'migrate = {{ command = ["./pages"] }}\n')
    migrating.commit("first", api=migrates(20.0, 1))
    done = migrating.run("deploy")
    assert (done.code, [task.definition.family for task in migrations(migrating)]) == (6, ["dev-api"])
    migrating.commit("second")
    assert migrating.run("deploy").code == 0
    _, api, web = migrations(migrating)
    assert (api.definition.family, web.definition.family) == ("dev-api", "dev-web")
    assert web.created_at >= api.times["stoppedAt"]


def test_credentials_that_end_before_the_migration_does_leave_it_to_the_next_deploy(migrating: World) -> None:
    def expire() -> None:
        for operation in ("DescribeTasks", "GetLogEvents"):
            migrating.sim.faults.fail(operation, "ExpiredTokenException", "The security token is expired", 400, None)

    migrating.commit("first", api=migrates(60))
    migrating.sim.clock.after(30, expire)
    done = migrating.run("deploy")
    assert (done.code, step(done), done.count("UpdateService")) == (6, "failed", 0)
    assert "its end cannot be seen: AWS does not accept these credentials" in done.document["error"]["message"]
    assert "`deploykit deploy` looks for it first" in done.document["error"]["hint"]
    migrating.sim.faults.clear()
    again = migrating.run("deploy")
    assert (again.code, again.count("RunTask"), step(again)) == (0, 0, "done")
