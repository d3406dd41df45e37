"""What `plan` says is what `deploy` does, and nothing else: here, and wherever a test deploys (``World.proving``)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.alterations import altered_logs, altered_plans
from tests.flow.entries import announced, carried_out
from tests.flow.scenarios import SCENARIOS, left_behind, released
from tests.flow.world import World, crashing


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_said_is_what_is_done(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = SCENARIOS[name]
    with scenario.platform(tmp_path / "shop", monkeypatch) as world:
        scenario.arrange(world)
        done = world.run("deploy", *scenario.options)
        assert done.code == 0, done.people
        proof = world.proofs[-1]
    assert proof.contradictions() == []
    assert announced(proof.plan) == carried_out(proof.log)
    assert proof.unnoticed() == []


def test_the_comparison_fails_when_either_side_is_altered_by_one_entry(migrating: World) -> None:
    migrating.commit("first")
    assert migrating.run("deploy").code == 0
    proof = migrating.proofs[-1]
    said, was = announced(proof.plan), carried_out(proof.log)
    assert [entry[0] for entry in said] == [
        "RegisterTaskDefinition",  # the api's, for its migration
        "RunTask",
        "UpdateService",
        "RegisterTaskDefinition",
        "UpdateService",
        "CreateInvalidation",
    ]
    plans, logs = [*altered_plans(proof.plan)], [*altered_logs(proof.log)]
    assert len(plans) > 30
    assert len(logs) > 15
    assert [what for what, plan in plans if announced(plan) == was] == []
    assert [what for what, log in logs if carried_out(log) == said] == []


def test_a_release_that_fails_has_done_the_beginning_of_what_was_said(world: World) -> None:
    released(world)
    world.commit("second", api=crashing())
    assert world.run("deploy").code == 10
    proof = world.proofs[-1]
    said, was = announced(proof.plan), carried_out(proof.log)
    assert [(entry[0], entry[1]) for entry in was] == [("RegisterTaskDefinition", "dev-api"), ("UpdateService", "dev")]
    assert said[: len(was)] == was
    assert len(said) == 5


def test_a_plan_says_what_becomes_of_each_service(world: World) -> None:
    sha = world.commit("first")
    planned = world.run("plan", "web").document
    assert list(planned["services"]) == planned["order"] == ["web"]
    service = planned["services"]["web"]
    assert (service["action"], service["registers"], service["rolls_out"]) == ("reuse", "dev-web", True)
    assert (service["cluster"], service["service"], service["repository"]) == ("dev", "dev-web", "shop/web")
    assert service["task_definition"].endswith(":task-definition/dev-web:1")
    assert (service["tags"], planned["sha"], planned["continues"]) == ([], sha, None)


def test_a_plan_names_the_release_that_it_goes_on_with(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("CreateInvalidation", service="cloudfront")
    release = world.run("deploy").document["release"]["id"]
    plan = world.run("plan").document
    assert (plan["continues"], plan["outcome"], plan["order"]) == (release, "changes", [])
    assert [service["rolls_out"] for service in plan["services"].values()] == [False, False]
    assert [item["distribution"] for item in plan["invalidations"]] == ["E1SHOP"]


def test_the_difference_is_told_field_by_field_and_secrets_by_name_only(world: World) -> None:
    first = world.commit("first")
    world.run("deploy")
    second = world.commit("second")
    diff = {field["path"]: field for field in world.run("plan").document["services"]["api"]["diff"]}
    assert set(diff) == {"containerDefinitions.api.image", "containerDefinitions.api.environment.GIT_SHA"}
    variable = diff["containerDefinitions.api.environment.GIT_SHA"]
    assert (variable["before"], variable["after"]) == (first, second)


def test_a_revision_that_terraform_left_behind_is_the_base_of_the_next_release(world: World) -> None:
    released(world)
    left_behind(world)
    world.commit("second", api=crashing())
    world.run("deploy")  # its own revision is newer than Terraform's, and is undone
    world.commit("third")
    plan = world.run("plan")
    diff = {field["path"]: (field["before"], field["after"]) for field in plan.document["services"]["api"]["diff"]}
    assert diff["memory"] == ("512", "1024")
    assert any("dev-api:3 was registered by somebody else" in text for text in plan.document["warnings"])
    assert world.run("deploy").code == 0
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    assert live["memory"] == "1024"


def test_what_runs_as_it_was_released_is_no_drift(world: World) -> None:
    released(world)
    assert (world.run("status").document["drift"], world.run("plan").document["warnings"]) == ([], [])


def test_what_runs_otherwise_than_released_is_told_by_plan_and_status(world: World) -> None:
    released(world)
    left_behind(world)
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:3"})
    world.sim.clock.advance(300)
    drift, *_ = world.run("status").document["drift"]
    assert (drift["service"], drift["running"].rpartition("/")[2]) == ("api", "dev-api:3")
    assert any("dev-api:3" in text for text in world.run("plan").document["warnings"])
    world.commit("second")
    assert world.run("deploy").code == 0
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    assert live["memory"] == "1024"  # what a person set by hand is kept
