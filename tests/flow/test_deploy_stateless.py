"""Without `state`, tags on task definitions are the memory: they refuse the same, and prove nothing by themselves."""

from __future__ import annotations

import pytest

from tests.benchmarks.bench_calls import kinds
from tests.flow.world import World, crashing, sick


@pytest.fixture
def stateless(world: World) -> World:
    world.without_state()
    return world


@pytest.mark.parametrize("command", ["deploy", "rollout"])
def test_what_a_rollback_left_is_taken_only_when_insisted_on(stateless: World, command: str) -> None:
    _, second = stateless.released("first", "second")
    assert stateless.run("rollback").code == 0
    plan = stateless.run("plan")
    assert [text for text in plan.document["refusals"] if "withdrawn" in text and "--allow-withdrawn" in text]
    refused = stateless.run(command, "--sha", second)
    assert (refused.code, refused.changing) == (4, [])
    assert f"commit {second[:7]} was withdrawn" in refused.people
    assert stateless.run(command, "--sha", second, "--allow-withdrawn").code == 0


def test_a_rollout_by_itself_is_judged_by_the_next_deploy(stateless: World) -> None:
    first = stateless.released("first")[0]
    second = stateless.commit("second")
    assert stateless.run("rollout").code == 0
    assert stateless.run("status").document["release"]["verdict"] is None
    judged = stateless.run("deploy")
    assert (judged.code, judged.document["release"]["verdict"]) == (0, "healthy"), judged.people
    assert "continuing release" in judged.people
    assert [call for call in judged.calls if call in ("RegisterTaskDefinition", "UpdateService")] == []
    again = stateless.run("deploy")
    assert (again.document["outcome"], again.changing) == ("unchanged", [])
    assert again.document["release"]["sha"] == second
    assert stateless.run("rollback").document["release"]["sha"] == first


def test_a_rollout_by_itself_that_answers_wrongly_is_put_back_to_what_was_proven(stateless: World) -> None:
    stateless.released("first")
    before = stateless.running("api"), stateless.running("web")
    stateless.commit("second", api=sick())
    assert stateless.run("rollout").code == 0
    judged = stateless.run("deploy")
    assert (judged.code, judged.document["outcome"]) == (10, "rolled_back"), judged.people
    assert (stateless.running("api"), stateless.running("web")) == before


def test_a_crash_is_put_back_and_its_commit_is_not_called_proven(stateless: World) -> None:
    stateless.released("first")
    crashed = stateless.commit("second", api=crashing())
    assert stateless.run("deploy").code == 10
    again = stateless.run("deploy", "--sha", crashed)
    assert (again.code, again.document["outcome"]) == (10, "rolled_back")


def test_a_long_history_without_a_ledger_costs_few_calls(stateless: World) -> None:
    stateless.released(*(f"release {number}" for number in range(12)))
    stateless.commit("one more")
    with stateless.sim.recording() as calls:
        done = stateless.run("deploy")
    assert done.document["way_back"]["ready"]
    assert kinds(calls)["call"] <= 45
