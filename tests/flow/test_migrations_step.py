"""``deploykit migrate`` and ``deploykit rollout``: the steps by themselves."""

from __future__ import annotations

from tests.flow.migrations import entries, migrates, step
from tests.flow.world import World


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


def test_migrate_names_a_service_without_a_migration(migrating: World) -> None:
    migrating.commit("first")
    done = migrating.run("migrate", "web")
    assert (done.code, done.changing) == (2, [])


def test_a_rollout_by_itself_migrates_nothing_and_says_so(migrating: World) -> None:
    migrating.commit("first")
    done = migrating.run("rollout")
    assert (done.code, done.count("RunTask")) == (0, 0)
    assert "deploykit migrate" in done.people
