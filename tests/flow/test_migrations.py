"""Migrations: once, before the services change, told line by line, and never lost by a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.world import Done, Json, World, healthy, shop, sick
from tests.simulator.ecs_state import Behaviour, Task

MIGRATE = 'migrate = {{ command = ["node", "migrate.js"], paths = ["api/database"], timeout = "5m"{more} }}\n'
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}


def with_migration(world: World, key: str = "api", line: str = MIGRATE, more: str = "") -> None:
    """``migrate`` under a service of the configuration."""
    path = world.folder / "deploykit.toml"
    head = f"[services.{key}]\n"
    path.write_text(path.read_text().replace(head, head + line.format(more=more)))


def change_schema(world: World, text: str, folder: str = "api/database") -> None:
    (world.folder / folder).mkdir(parents=True, exist_ok=True)
    (world.folder / folder / "schema.sql").write_text(text)


@pytest.fixture
def migrating(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The shop, whose api migrates a database."""
    with shop(tmp_path / "shop", monkeypatch) as world:
        for service in world.sim.state.services.values():
            service.body["networkConfiguration"] = NETWORK
        with_migration(world)
        change_schema(world, "1")
        yield world


def migrations(world: World) -> list[Task]:
    return [task for task in world.sim.state.tasks.values() if (task.started_by or "").startswith("deploykit/")]


def entries(world: World) -> list[Json]:
    objects = world.sim.s3.buckets["shop-state"]
    return [json.loads(objects[key].body) for key in sorted(objects) if key.startswith("dev/releases/")]


def step(done: Done, name: str = "migrate") -> str:
    return str(next(item["status"] for item in done.document["steps"] if item["name"] == name))


def pushed(world: World, sha: str) -> str:
    """The digest of the api's image of a commit."""
    image = world.sim.ecr.repositories["shop/api"].find({"imageTag": sha})
    assert image is not None
    return image.digest


def interrupt() -> None:
    raise KeyboardInterrupt


def migrates(seconds: float = 20.0, code: int = 0, *lines: str) -> Behaviour:
    return healthy(run_task=(seconds, code), log_lines=list(lines))


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


def test_a_migration_is_skipped_and_said_so_until_its_paths_change(migrating: World) -> None:
    migrating.commit("first")
    migrating.run("deploy")
    first = entries(migrating)[0]["id"]
    for message in ("second", "third"):  # the third knows it from the second's entry alone
        migrating.commit(message)
        done = migrating.run("deploy")
        assert (done.code, step(done), done.count("RunTask")) == (0, "skipped", 0)
        assert f"api/database did not change since the migration of release {first}" in done.people
        assert entries(migrating)[-1]["migrations"]["api"]["outcome"] == "skipped"
    change_schema(migrating, "2")
    migrating.commit("fourth")
    done = migrating.run("deploy")
    assert (done.code, step(done), done.count("RunTask")) == (0, "done", 1)


def test_a_service_that_does_not_change_is_not_migrated(migrating: World) -> None:
    migrating.commit("first")
    migrating.run("deploy")
    change_schema(migrating, "2")
    migrating.commit("second")
    done = migrating.run("deploy", "web")
    assert (done.code, done.count("RunTask"), step(done)) == (0, 0, "skipped")
    assert entries(migrating)[-1]["migrations"]["api"]["release"] == entries(migrating)[0]["id"]


def test_without_paths_it_runs_with_every_new_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(tmp_path / "shop", monkeypatch) as world:
        with_migration(world, line='migrate = {{ command = ["./migrate"] }}\n')
        for message in ("first", "second"):
            world.commit(message)
            assert world.run("deploy").count("RunTask") == 1


def test_without_a_ledger_it_runs_with_every_release_of_its_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(tmp_path / "shop", monkeypatch) as world:
        config = world.folder / "deploykit.toml"
        config.write_text("".join(line for line in config.read_text().splitlines(True) if "state =" not in line))
        with_migration(world)
        change_schema(world, "1")
        for message in ("first", "second"):
            world.commit(message)
            done = world.run("deploy")
            assert (done.code, done.count("RunTask")) == (0, 1)
            assert "no `state` is configured" in done.people


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


def test_no_capacity_is_told_in_the_words_of_ecs(migrating: World) -> None:
    migrating.sim.state.no_capacity = "RESOURCE:MEMORY"
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.document["findings"][0]["id"]) == (6, "migration-not-started")
    assert "RESOURCE:MEMORY" in done.document["error"]["message"]
    migrating.sim.state.no_capacity = None
    assert migrating.run("deploy").code == 0


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


@pytest.mark.parametrize("comes_back_after", [0.0, 300.0])
def test_a_run_that_was_interrupted_finds_its_task_running_or_finished(
    migrating: World, comes_back_after: float
) -> None:
    migrating.commit("first", api=migrates(120.0))
    migrating.sim.clock.after(40, interrupt)
    cut = migrating.run("deploy")
    assert cut.code == 130
    assert "the migration of api goes on by itself" in cut.people
    migrating.sim.clock.advance(comes_back_after)
    done = migrating.run("deploy")
    assert (done.code, step(done)) == (0, "done"), done.people
    assert len(migrations(migrating)) == 1
    assert migrating.running("api") == "dev-api:2"  # the revision that the interrupted run had registered
    (entry,) = entries(migrating)
    assert (entry["migrations"]["api"]["outcome"], entry["verdict"]) == ("succeeded", "healthy")


def test_a_run_killed_between_run_task_and_its_own_note_starts_nothing_twice(migrating: World) -> None:
    migrating.commit("first", api=migrates(120.0))
    # the last write that gets through says what is about to be started
    migrating.sim.faults.deny("PutObject", service="s3", skip=2)
    migrating.sim.clock.after(40, interrupt)
    assert migrating.run("deploy").code == 130
    migrating.sim.faults.clear()
    (entry,) = entries(migrating)
    assert entry["migrations"]["api"]["task"] is None
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert len(migrations(migrating)) == 1
    assert entries(migrating)[0]["migrations"]["api"]["outcome"] == "succeeded"


def test_a_task_that_failed_unseen_is_tried_again(migrating: World) -> None:
    sha = migrating.commit("first", api=migrates(60.0, 1))
    migrating.sim.clock.after(40, interrupt)
    assert migrating.run("deploy").code == 130
    migrating.sim.clock.advance(100)
    migrating.sim.image(pushed(migrating, sha), migrates(5.0, 0))
    done = migrating.run("deploy")
    assert (done.code, done.count("RunTask")) == (0, 1)
    (entry,) = entries(migrating)
    assert (entry["migrations"]["api"]["attempt"], entry["migrations"]["api"]["outcome"]) == (2, "succeeded")


def test_two_migrations_of_a_service_never_run_at_once(migrating: World) -> None:
    migrating.commit("first", api=migrates(200.0))
    migrating.sim.clock.after(40, interrupt)
    assert migrating.run("deploy").code == 130
    change_schema(migrating, "2")
    migrating.commit("second", api=migrates(10.0))
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert "another migration that still runs" in done.people
    first, second = migrations(migrating)
    assert second.created_at >= first.times["stoppedAt"]


def test_an_answer_to_run_task_that_got_lost_starts_one_task(migrating: World) -> None:
    migrating.sim.faults.cut("RunTask")
    migrating.commit("first")
    done = migrating.run("deploy")
    assert done.code == 0
    assert len(migrations(migrating)) == 1


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


def test_after_a_good_migration_a_rollout_that_cannot_begin_has_nothing_to_put_back(migrating: World) -> None:
    migrating.sim.faults.deny("UpdateService")
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.document["outcome"], step(done, "rollout")) == (10, "failed", "failed")
    assert "the migration is done" in done.document["error"]["message"]
    migrating.sim.faults.clear()
    again = migrating.run("deploy")
    assert (again.code, again.count("RunTask"), step(again)) == (0, 0, "skipped")


def test_after_a_skipped_migration_a_rollout_that_cannot_begin_failed_before_anything(migrating: World) -> None:
    migrating.commit("first")
    migrating.run("deploy")
    migrating.commit("second")
    migrating.sim.faults.deny("UpdateService")
    assert migrating.run("deploy").code == 3


def test_a_release_with_a_migration_is_undone_where_that_is_allowed(migrating: World) -> None:
    migrating.commit("first")
    migrating.run("deploy")
    change_schema(migrating, "2")
    migrating.commit("second", web=sick())
    done = migrating.run("deploy")
    assert (done.code, migrating.running("api")) == (10, "dev-api:2")
    migrating.commit("third")
    again = migrating.run("deploy")  # the database has kept what the release that was undone did to it
    assert (again.code, again.count("RunTask")) == (0, 0)


@pytest.fixture
def stopping(migrating: World) -> World:
    """The shop with ``on_rollback = "stop"`` and two releases, the second of which migrated."""
    path = migrating.folder / "deploykit.toml"
    path.write_text(path.read_text().replace('timeout = "5m"', 'timeout = "5m", on_rollback = "stop"'))
    migrating.commit("first")
    assert migrating.run("deploy").code == 0
    change_schema(migrating, "2")
    return migrating


def test_with_stop_a_release_with_a_migration_is_not_undone_by_itself(stopping: World) -> None:
    first = stopping.git("rev-parse", "HEAD")
    stopping.commit("second", web=sick())
    done = stopping.run("deploy")
    assert (done.code, done.document["outcome"]) == (11, "failed")
    assert "undo-held-by-migration" in [finding["id"] for finding in done.document["findings"]]
    assert f"deploykit rollback --to {first[:12]}" in done.document["error"]["hint"]
    assert stopping.running("api") == "dev-api:3"


def test_with_stop_a_release_that_skipped_its_migration_is_undone(stopping: World) -> None:
    change_schema(stopping, "1")
    stopping.commit("second", web=sick())
    assert stopping.run("deploy").code == 10


def test_with_stop_a_rollback_across_a_migration_has_to_be_named(stopping: World) -> None:
    first = stopping.git("rev-parse", "HEAD")
    stopping.commit("second")
    deployed = stopping.run("deploy")
    assert deployed.code == 0
    assert deployed.document["way_back"]["ready"] is False
    assert "--to" in deployed.document["way_back"]["problems"][0]
    done = stopping.run("rollback")
    assert (done.code, done.document["outcome"], done.changing) == (4, "refused", [])
    assert f"deploykit rollback --to {first[:12]}" in done.document["error"]["hint"]
    assert stopping.run("rollback", "web").code == 0  # the migration was api's
    named = stopping.run("rollback", "--to", first[:12])
    assert (named.code, stopping.running("api")) == (0, "dev-api:2")


def test_with_stop_a_rollback_across_releases_that_only_skipped_goes_on(stopping: World) -> None:
    change_schema(stopping, "1")
    stopping.commit("second")
    stopping.run("deploy")
    assert stopping.run("rollback").code == 0


def test_with_stop_and_no_ledger_to_ask_a_rollback_has_to_be_named(stopping: World) -> None:
    first = stopping.git("rev-parse", "HEAD")
    stopping.commit("second")
    stopping.run("deploy")
    stopping.sim.faults.deny("ListObjectsV2", service="s3")
    done = stopping.run("rollback")
    assert (done.code, done.changing) == (4, [])
    assert stopping.run("rollback", "--to", first[:12]).code == 0


def test_a_path_that_the_commit_does_not_have_is_refused_before_anything(migrating: World) -> None:
    path = migrating.folder / "deploykit.toml"
    path.write_text(path.read_text().replace("api/database", "api/databse"))
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.changing) == (5, [])
    assert "api/databse" in done.document["error"]["message"]


def test_migrate_alone_migrates_and_leaves_the_rollout_to_the_next_step(migrating: World) -> None:
    migrating.commit("first", api=migrates(20.0, 0, "applied 001"))
    done = migrating.run("migrate")
    assert (done.code, done.document["outcome"], done.count("RunTask")) == (0, "deployed", 1), done.people
    assert done.count("UpdateService") == 0
    (entry,) = entries(migrating)
    assert (entry["kind"], entry["command"], entry["verdict"]) == ("step", "migrate", None)
    again = migrating.run("migrate")
    assert (again.code, again.document["outcome"], again.count("RunTask")) == (0, "unchanged", 0)
    assert len(entries(migrating)) == 1
    rolled = migrating.run("deploy")
    assert (rolled.code, rolled.count("RunTask"), step(rolled)) == (0, 0, "skipped")
    forced = migrating.run("migrate", "--force")
    assert (forced.code, forced.count("RunTask"), forced.count("RegisterTaskDefinition")) == (0, 1, 0)


def test_migrate_alone_fails_with_6_and_finds_its_task_after_a_kill(migrating: World) -> None:
    migrating.commit("first", api=migrates(60.0, 4))
    migrating.sim.clock.after(30, interrupt)
    assert migrating.run("migrate").code == 130
    done = migrating.run("migrate")
    assert (done.code, done.count("RunTask"), done.document["findings"][0]["id"]) == (6, 0, "migration-failed")
    assert len(migrations(migrating)) == 1


def test_migrate_names_a_service_without_a_migration(migrating: World) -> None:
    migrating.commit("first")
    done = migrating.run("migrate", "web")
    assert (done.code, done.changing) == (2, [])


def test_a_rollout_by_itself_migrates_nothing_and_says_so(migrating: World) -> None:
    migrating.commit("first")
    done = migrating.run("rollout")
    assert (done.code, done.count("RunTask")) == (0, 0)
    assert "deploykit migrate" in done.people


def test_plan_says_which_migrations_deploy_runs(migrating: World) -> None:
    migrating.commit("first")
    (planned,) = migrating.run("plan").document["migrations"]
    assert planned == {"service": "api", "action": "run", "reason": "none is known to have succeeded here"}
    assert migrating.run("deploy").count("RunTask") == 1
    migrating.commit("second")
    (planned,) = migrating.run("plan").document["migrations"]
    assert (planned["action"], migrating.run("deploy").count("RunTask")) == ("skip", 0)
    change_schema(migrating, "2")
    migrating.commit("third", api=migrates(60.0))
    (planned,) = migrating.run("plan").document["migrations"]
    assert planned["action"] == "run"
    assert "api/database changed" in planned["reason"]
    migrating.sim.clock.after(45, interrupt)
    assert migrating.run("deploy").code == 130
    (planned,) = migrating.run("plan").document["migrations"]
    assert planned["action"] == "run"
    assert "did not see its end" in planned["reason"]


def test_plan_refuses_a_path_that_is_not_there(migrating: World) -> None:
    path = migrating.folder / "deploykit.toml"
    path.write_text(path.read_text().replace("api/database", "api/databse"))
    migrating.commit("first")
    done = migrating.run("plan")
    assert done.code == 0
    assert len([text for text in done.document["refusals"] if "api/databse" in text]) == 1
