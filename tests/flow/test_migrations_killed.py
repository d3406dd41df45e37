"""A run that was killed finds its migration again, and never are there two."""

from __future__ import annotations

import pytest

from tests.flow.migrations import change_schema, entries, migrates, migrations, pushed, step
from tests.flow.world import World


@pytest.mark.parametrize("comes_back_after", [0.0, 300.0])
def test_a_run_that_was_interrupted_finds_its_task_running_or_finished(
    migrating: World, comes_back_after: float
) -> None:
    migrating.commit("first", api=migrates(120.0))
    cut = migrating.interrupted(40, "deploy")
    assert "the migration of api continues by itself" in cut.people
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
    migrating.sim.faults.deny("PutObject", service="s3", skip=2, path="/releases/")
    migrating.interrupted(40, "deploy")
    migrating.sim.faults.clear()
    (entry,) = entries(migrating)
    assert entry["migrations"]["api"]["task"] is None
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert len(migrations(migrating)) == 1
    assert entries(migrating)[0]["migrations"]["api"]["outcome"] == "succeeded"


def test_a_task_that_failed_unseen_is_tried_again(migrating: World) -> None:
    sha = migrating.commit("first", api=migrates(60.0, 1))
    migrating.interrupted(40, "deploy")
    migrating.sim.clock.advance(100)
    migrating.sim.image(pushed(migrating, sha), migrates(5.0, 0))
    done = migrating.run("deploy")
    assert (done.code, done.count("RunTask")) == (0, 1)
    (entry,) = entries(migrating)
    assert (entry["migrations"]["api"]["attempt"], entry["migrations"]["api"]["outcome"]) == (2, "succeeded")


def test_two_migrations_of_a_service_never_run_at_once(migrating: World) -> None:
    migrating.commit("first", api=migrates(200.0))
    migrating.interrupted(40, "deploy")
    change_schema(migrating, "2")
    migrating.commit("second", api=migrates(10.0))
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert "another migration that still runs" in done.people
    first, second = migrations(migrating)
    assert second.created_at >= first.times["stoppedAt"]


def test_throttling_while_another_migration_is_waited_for_only_costs_time(migrating: World) -> None:
    migrating.commit("first", api=migrates(200.0))
    migrating.interrupted(40, "deploy")
    change_schema(migrating, "2")
    migrating.commit("second", api=migrates(10.0))
    migrating.sim.faults.throttle("DescribeTasks", 6, skip=1)  # behind the look at what runs
    done = migrating.run("deploy")
    assert done.code == 0, done.people
    assert "another migration that still runs: ecs:DescribeTasks was throttled" in done.people


def test_an_answer_to_run_task_that_got_lost_starts_one_task(migrating: World) -> None:
    migrating.sim.faults.cut("RunTask")
    migrating.commit("first")
    done = migrating.run("deploy")
    assert done.code == 0
    assert len(migrations(migrating)) == 1


def test_migrate_alone_fails_with_6_and_finds_its_task_after_a_kill(migrating: World) -> None:
    migrating.commit("first", api=migrates(60.0, 4))
    migrating.interrupted(30, "migrate")
    done = migrating.run("migrate")
    assert (done.code, done.count("RunTask"), done.document["findings"][0]["id"]) == (6, 0, "migration-failed")
    assert len(migrations(migrating)) == 1


def test_a_deploy_that_takes_over_the_task_of_a_step_registers_its_revision_no_second_time(migrating: World) -> None:
    migrating.commit("first", api=migrates(120.0))
    migrating.interrupted(40, "migrate")
    done = migrating.run("deploy")
    assert (done.code, done.count("RunTask"), len(migrations(migrating))) == (0, 0, 1), done.people
    assert done.count("RegisterTaskDefinition") == 1  # the web's
    assert migrating.running("api") == "dev-api:2"
    _, release = entries(migrating)
    answer = migrating.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:2", "include": ["TAGS"]})
    tags = {tag["key"]: tag["value"] for tag in answer["tags"]}
    assert (tags["deploykit:release"], tags["deploykit:verdict"]) == (release["id"], "healthy")
    assert release["migrations"]["api"]["outcome"] == "succeeded"
    assert migrating.run("status").document["release"]["id"] == release["id"]


def test_a_task_of_another_revision_is_taken_over_without_its_revision(migrating: World) -> None:
    migrating.commit("first", api=migrates(120.0))
    migrating.interrupted(40, "migrate")
    body = migrating.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:1"})["taskDefinition"]
    kept = {name: body[name] for name in ("family", "containerDefinitions", "cpu", "networkMode")}
    migrating.sim.ecs.register_task_definition({**kept, "memory": "1024"})  # as Terraform leaves one behind
    done = migrating.run("deploy")
    assert (done.code, done.count("RunTask"), migrating.running("api")) == (0, 0, "dev-api:4"), done.people
