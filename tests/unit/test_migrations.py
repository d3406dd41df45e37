"""Which migrations run, how a task's end is read, and what on_rollback forbids: from values alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploykit.config.schema import Configuration
from deploykit.config.service import Migrate
from deploykit.edges.git import Repository, Source
from deploykit.ledger.codec import decode, encode
from deploykit.model.ledger import LedgerEntry
from deploykit.model.migration import MigrationRecord
from deploykit.model.observed import ServiceName
from deploykit.model.plan import Change, Plan
from deploykit.model.task import Task
from deploykit.targets.migration.crossing import carried, crossed
from deploykit.targets.migration.plan import (
    in_order,
    last_good,
    left_out,
    migration_trees,
    plan_migrations,
    unseen_end,
)
from deploykit.targets.migration.task import OneOff, client_token, end_of, started_by
from tests.unit import git_kit
from tests.unit.config_files import read
from tests.unit.ledger_kit import entry, newest_first, release
from tests.unit.makers import definition, observed, task

TOML = """
[project]
name = "shop"
region = "us-east-1"
[environments.dev]
account = "108581769167"
cluster = "dev"
[services.api]
context = "api"
repository = "shop/api"
service = "dev-api"
depends_on = ["worker"]
migrate = { command = ["./migrate"], paths = ["db"], on_rollback = "stop" }
[services.web]
context = "web"
repository = "shop/web"
service = "dev-web"
[services.worker]
context = "worker"
repository = "shop/worker"
service = "dev-worker"
migrate = { command = ["./migrate"] }
"""
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def configuration(tmp_path: Any) -> Configuration:
    return read(tmp_path, TOML)


def plan(*changed: str) -> Plan:
    changes = {
        key: Change(ServiceName(key, "dev", f"dev-{key}"), "web", None, "a" * 40, f"registry/{key}@{DIGEST}")
        for key in changed
    }
    services = {key: observed(key) for key in ("api", "web", "worker")}
    return Plan("deploy", "dev", release(9), "a" * 40, None, services, changes, dict.fromkeys(changes, ()), ())


def record(number: int, tree: str, outcome: Any = "succeeded", **more: Any) -> MigrationRecord:
    return MigrationRecord(release(number), tree, f"registry/api@{DIGEST}", outcome, **more)


def with_api(number: int, made: MigrationRecord, **more: Any) -> LedgerEntry:
    return replace(entry(number, {"api": number}, **more), migrations={"api": made})


def decided(configuration: Configuration, *entries: LedgerEntry, force: bool = False) -> tuple[str, str]:
    found = plan_migrations(configuration, plan("api"), {"api": "T2"}, newest_first(*entries), force=force)
    (api,) = (item for item in found if item.service == "api")
    return api.action, api.reason


def test_uncommitted_changes_elsewhere_are_no_change_of_a_migration(tmp_path: Path) -> None:
    git_kit.commit(tmp_path, {"db/1.sql": "create table a ()", "web/page.html": "1"})
    configuration = read(tmp_path, TOML)
    repository = Repository.find(tmp_path)

    def hashed(dirty: str | None) -> dict[str, str]:
        return migration_trees(configuration, Source(repository, replace(repository.head(), dirty=dirty)), ["api"])

    committed = hashed(None)
    git_kit.write(tmp_path, {"web/page.html": "2"})
    assert hashed("abc") == committed
    git_kit.write(tmp_path, {"db/2.sql": "create table b ()"})
    assert hashed("abc") != committed


def test_the_first_migration_of_an_environment_runs(configuration: Configuration) -> None:
    assert decided(configuration) == ("run", "none is known to have succeeded here")


def test_the_newest_good_migration_decides(configuration: Configuration) -> None:
    old, new = with_api(1, record(1, "T2")), with_api(2, record(2, "T1"))
    assert decided(configuration, old)[0] == "skip"
    assert decided(configuration, old, new) == ("run", f"db changed since the migration of release {release(2)}")


@pytest.mark.parametrize("outcome", ["failed", "not_started", "stopped", "timed_out"])
def test_what_did_not_succeed_spares_nothing(configuration: Configuration, outcome: str) -> None:
    assert decided(configuration, with_api(1, record(1, "T2", outcome)))[0] == "run"


def test_what_a_later_entry_repeats_counts_and_names_the_release_that_did_it(configuration: Configuration) -> None:
    kept = with_api(5, record(1, "T2", "skipped"))
    assert decided(configuration, kept) == ("skip", f"db did not change since the migration of release {release(1)}")
    assert decided(configuration, kept, force=True) == ("run", "--force")


def test_an_end_that_nobody_saw_is_looked_for_only_while_it_is_the_newest_attempt(configuration: Configuration) -> None:
    lost = with_api(3, record(3, "T2", None, task="arn:aws:ecs:us-east-1:1:task/dev/abc"))
    action, reason = decided(configuration, lost)
    assert (action, "task abc" in reason) == ("run", True)
    assert unseen_end([lost], "api") == lost.migrations["api"]
    assert unseen_end(newest_first(lost, with_api(4, record(4, "T2", "failed"))), "api") is None
    other = with_api(3, record(3, "T1", None))
    assert decided(configuration, other) == ("run", "none is known to have succeeded here")


def test_services_that_do_not_change_and_those_without_a_migration_run_none(configuration: Configuration) -> None:
    found = plan_migrations(configuration, plan("web"), {}, [])
    assert [(item.service, item.action) for item in found] == [("worker", "skip"), ("api", "skip")]


def test_without_paths_the_image_decides(configuration: Configuration) -> None:
    def worker(tree: str) -> str:
        before = replace(entry(1, {"worker": 1}), migrations={"worker": record(1, tree)})
        found = plan_migrations(configuration, plan("worker"), {}, [before])
        return next(item.action for item in found if item.service == "worker")

    assert worker(f"image {DIGEST}") == "skip"
    assert worker("image sha256:" + "2" * 64) == "run"


def test_migrations_run_in_the_order_of_depends_on(configuration: Configuration) -> None:
    assert in_order(configuration, ["api", "web", "worker"]) == ["web", "worker", "api"]


def test_a_rollout_by_itself_leaves_out_what_would_run(configuration: Configuration) -> None:
    found = left_out(plan_migrations(configuration, plan("api", "worker"), {"api": "T1"}, []))
    assert {item.action for item in found} == {"skip"}


def test_a_record_survives_the_ledger_and_an_unknown_word_is_no_success(configuration: Configuration) -> None:
    made = with_api(1, record(1, "T2", "timed_out", attempt=3, task="arn", task_definition="arn:2", exit_code=137))
    assert decode(encode(made), made.id, "x") == made
    text = encode(made).replace(b'"timed_out"', b'"postponed"')
    read_back = decode(text, made.id, "x")
    assert read_back.migrations["api"].outcome == "failed"
    assert last_good([read_back], "api") is None


def test_a_token_fits_and_differs_by_release_service_and_attempt() -> None:
    asked = [
        (release(1), "arn:api", 1),
        (release(2), "arn:api", 1),
        (release(1), "arn:web", 1),
        (release(1), "arn:api", 2),
    ]
    tokens = {client_token(*each) for each in asked}
    assert len(tokens) == 4
    assert all(re.fullmatch(r"[!-~]{1,64}", token) for token in tokens)
    assert client_token(*asked[0]) == client_token(*asked[0])


def test_started_by_has_only_the_characters_that_ecs_takes() -> None:
    assert started_by(release(1), "api.v2") == f"deploykit/{release(1)}/api-v2"
    assert len(started_by(release(1), "a" * 200)) == 128


ONE_OFF = OneOff(ServiceName("web", "dev", "dev-web"), {}, definition(), "web", ("./migrate",))


def ended(**more: Any) -> Task:
    return task(1, 0, 10, **more)


@pytest.mark.parametrize(
    ("made", "outcome", "words"),
    [
        (ended(exit_code=0), "succeeded", "exit code 0"),
        (ended(exit_code=3), "failed", "exit code 3"),
        (ended(exit_code=137, container_reason="OutOfMemoryError: killed"), "failed", "OutOfMemoryError"),
        (ended(exit_code=None, code="TaskFailedToStart", reason="ResourceInitializationError: secret"), "not_started",
         "ResourceInitializationError"),
        (ended(exit_code=None, reason="", container_reason="CannotStartContainerError: exec"), "not_started", "exec"),
        (ended(exit_code=0, code="UserInitiated", reason="ada: stop"), "stopped", "somebody stopped it: ada: stop"),
        (ended(exit_code=143, code="SpotInterruption", reason="Spot Task interruption."), "stopped", "AWS stopped it"),
    ],
)  # fmt: skip
def test_how_a_task_ended_is_told_apart(made: Task, outcome: str, words: str) -> None:
    end = end_of(made, ONE_OFF)
    assert end is not None
    assert (end.outcome, words in end.reason) == (outcome, True), end.reason


def test_a_task_that_is_on_its_way_down_has_not_ended() -> None:
    assert end_of(replace(ended(exit_code=0), status="DEPROVISIONING"), ONE_OFF) is None


def test_a_container_that_is_not_essential_ends_the_migration_though_its_task_runs_on() -> None:
    content = dict(definition().content)
    content["containerDefinitions"] = [{"name": "web", "essential": False}, {"name": "sidecar"}]
    one_off = replace(ONE_OFF, definition=replace(definition(), content=content))
    end = end_of(replace(ended(exit_code=0), status="RUNNING", stop_code="", stop_reason=""), one_off)
    assert end is not None
    assert end.outcome == "succeeded"


def test_only_migrations_between_target_and_running_release_are_crossed(configuration: Configuration) -> None:
    row = newest_first(
        with_api(1, record(1, "T1")),
        with_api(2, record(2, "T2")),
        with_api(3, record(2, "T2", "skipped")),
        with_api(4, record(4, "T3", "failed")),
    )
    assert crossed(configuration, row, release(1), release(3)) == [(release(2), "api")]
    assert crossed(configuration, row, release(2), release(3)) == []
    assert crossed(configuration, row, release(2), None) == [(release(4), "api")]  # it may have done half of its work
    assert crossed(configuration, row, release(1), release(3), ["worker"]) == []
    assert carried(row[1]) == []


def test_allowed_is_the_default() -> None:
    assert Migrate(command=("./migrate",)).on_rollback == "allow"
