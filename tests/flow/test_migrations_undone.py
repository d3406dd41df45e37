"""What a migration allows afterwards: undo and rollback follow ``on_rollback``."""

from __future__ import annotations

from tests.flow.migrations import change_schema, step
from tests.flow.world import World, sick


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
