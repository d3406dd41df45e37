"""Which migrations a release runs, and which it spares the database and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.migrations import change_schema, entries, migrates, step, with_migration
from tests.flow.world import World, shop


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
        world.without_state()
        with_migration(world)
        change_schema(world, "1")
        for message in ("first", "second"):
            world.commit(message)
            done = world.run("deploy")
            assert (done.code, done.count("RunTask")) == (0, 1)
            assert "no `state` is configured" in done.people


def test_a_path_that_the_commit_does_not_have_is_refused_before_anything(migrating: World) -> None:
    path = migrating.folder / "deploykit.toml"
    path.write_text(path.read_text().replace("api/database", "api/databse"))
    migrating.commit("first")
    done = migrating.run("deploy")
    assert (done.code, done.changing) == (5, [])
    assert "api/databse" in done.document["error"]["message"]


def test_plan_says_which_migrations_deploy_runs(migrating: World) -> None:
    migrating.commit("first")
    (planned,) = migrating.run("plan").document["migrations"]
    assert planned == {
        "service": "api",
        "action": "run",
        "reason": "none is known to have succeeded here",
        "command": ["node", "migrate.js"],
        "starts": True,
    }
    assert migrating.run("deploy").count("RunTask") == 1
    migrating.commit("second")
    (planned,) = migrating.run("plan").document["migrations"]
    assert (planned["action"], migrating.run("deploy").count("RunTask")) == ("skip", 0)
    change_schema(migrating, "2")
    migrating.commit("third", api=migrates(60.0))
    (planned,) = migrating.run("plan").document["migrations"]
    assert planned["action"] == "run"
    assert "api/database changed" in planned["reason"]
    migrating.interrupted(45, "deploy")
    (planned,) = migrating.run("plan").document["migrations"]
    assert (planned["action"], planned["starts"]) == ("run", False)
    assert "did not see its end" in planned["reason"]


def test_plan_refuses_a_path_that_is_not_there(migrating: World) -> None:
    path = migrating.folder / "deploykit.toml"
    path.write_text(path.read_text().replace("api/database", "api/databse"))
    migrating.commit("first")
    done = migrating.run("plan")
    assert done.code == 0
    assert len([text for text in done.document["refusals"] if "api/databse" in text]) == 1
