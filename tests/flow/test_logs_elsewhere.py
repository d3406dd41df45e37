"""Containers that log to another region than the one they run in (`awslogs-region`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.migrations import migrates, migrating_shop
from tests.flow.test_preflight import rewritten
from tests.flow.world import Json, World, crashing

ELSEWHERE = "eu-central-1"


def elsewhere(body: Json) -> None:
    body["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-region"] = ELSEWHERE


@pytest.fixture
def abroad(world: World) -> World:
    """The shop, whose api logs to another region."""
    rewritten(world, elsewhere)
    return world


@pytest.fixture
def migrating_abroad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with migrating_shop(tmp_path, monkeypatch) as world:
        rewritten(world, elsewhere)
        yield world


def regions(world: World) -> set[str]:
    """Where log services were asked."""
    return {call.region for call in world.sim.calls if call.service == "logs"}


def test_the_last_words_of_a_crash_are_read_where_they_were_written(abroad: World) -> None:
    abroad.commit("first", api=crashing(3))
    done = abroad.run("deploy")
    assert done.code == 10, done.people
    [found] = done.document["findings"]
    assert "log: Error: DB_HOST is not set" in found["evidence"]
    assert done.document["api_calls"]["by_operation"]["logs:GetLogEvents"] == done.count("GetLogEvents") > 0


def test_a_migrations_lines_are_told_from_where_they_were_written(migrating_abroad: World) -> None:
    migrating_abroad.commit("first", api=migrates(20, 1, "relation users exists"))
    done = migrating_abroad.run("deploy")
    assert done.code == 6, done.people
    assert "log: relation users exists" in done.document["findings"][0]["evidence"]
    assert regions(migrating_abroad) == {ELSEWHERE, "us-east-1"}  # the web service's log group is at home


def test_a_log_group_is_looked_for_where_it_must_be(abroad: World) -> None:
    abroad.commit("first")
    assert abroad.run("plan").document["refusals"] == []
    abroad.sim.logs_in(ELSEWHERE).groups.clear()
    abroad.sim.logs.groups.append("/ecs/api")  # of the same name, where nobody writes to it
    [refusal] = abroad.run("plan").document["refusals"]
    assert f"log group /ecs/api does not exist in {ELSEWHERE}" in refusal
    assert f"`aws logs create-log-group --log-group-name /ecs/api --region {ELSEWHERE}`" in refusal


def test_a_service_s_log_is_shown_from_there_and_each_request_is_counted(abroad: World) -> None:
    abroad.sim.logs_in(ELSEWHERE).write("/ecs/api", "ecs/api/0a1b", ["ready"])
    done = abroad.run("logs", "api")
    assert [line["text"] for line in done.document["lines"]] == ["ready"]
    assert done.document["api_calls"]["total"] == len(done.calls)
