"""What `plan` says is what `deploy` does, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from tests.flow.world import Json, World, crashing, healthy, sick
from tests.simulator.simulator import Call


def announced(plan: Json) -> list[tuple[str, str]]:
    """The changing requests that a plan announces, for a release that goes well."""
    rolled = [key for key, service in plan["services"].items() if service["diff"]]
    requests = [("RegisterTaskDefinition", f"dev-{key}") for key in rolled]
    requests += [("UpdateService", f"dev-{key}") for key in rolled]
    requests += [("CreateInvalidation", item["distribution"]) for item in plan["invalidations"]]
    requests += [
        ("image", field["after"])
        for service in plan["services"].values()
        for field in service["diff"]
        if field["path"].endswith(".image")
    ]
    return sorted(requests)


def done(calls: list[Call]) -> list[tuple[str, str]]:
    """The same, read off what was sent."""
    requests: list[tuple[str, str]] = []
    for call in calls:
        if call.operation == "RegisterTaskDefinition":
            requests.append((call.operation, call.params["family"]))
            requests.append(("image", call.params["containerDefinitions"][0]["image"]))
        elif call.operation == "UpdateService":
            requests.append((call.operation, call.params["service"]))
        elif call.operation == "CreateInvalidation":
            requests.append((call.operation, "E1SHOP"))
    return sorted(requests)


def nothing_yet(world: World) -> None:
    world.commit("first")


def a_second_release(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")


def one_service_by_hand(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")
    world.run("deploy", "api")


def released_already(world: World) -> None:
    world.commit("first")
    world.run("deploy")


def put_back(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=crashing())
    world.run("deploy")
    world.commit("third")


def gone_back(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")
    world.run("deploy")
    world.run("rollback")
    world.commit("third")


def slow(world: World) -> None:
    world.commit("first", healthy(start=60.0))


SCENARIOS: dict[str, Callable[[World], None]] = {
    scenario.__name__: scenario
    for scenario in (
        nothing_yet,
        a_second_release,
        one_service_by_hand,
        released_already,
        put_back,
        gone_back,
        slow,
    )
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_said_is_what_is_done(world: World, name: str) -> None:
    SCENARIOS[name](world)
    plan = world.run("plan")
    assert plan.code == 0
    assert plan.changing == []
    with world.sim.recording() as calls:
        assert world.run("deploy").code == 0
    said, was = announced(plan.document), done(calls)
    assert said == was
    assert plan.document["outcome"] == ("changes" if was else "unchanged")


def test_the_comparison_fails_when_either_side_is_altered_by_one_entry(world: World) -> None:
    a_second_release(world)
    plan = world.run("plan").document
    with world.sim.recording() as calls:
        world.run("deploy")
    altered = copy.deepcopy(plan)
    altered["services"]["api"]["diff"] = []
    assert announced(altered) != done(calls)
    without_invalidation = copy.deepcopy(plan)
    without_invalidation["invalidations"] = []
    assert announced(without_invalidation) != done(calls)
    fewer = [call for call in calls if call.operation != "CreateInvalidation"]
    assert announced(plan) != done(fewer)


def test_the_difference_is_told_field_by_field_and_secrets_by_name_only(world: World) -> None:
    first = world.commit("first")
    world.run("deploy")
    second = world.commit("second")
    diff = {field["path"]: field for field in world.run("plan").document["services"]["api"]["diff"]}
    assert set(diff) == {"containerDefinitions.api.image", "containerDefinitions.api.environment.GIT_SHA"}
    variable = diff["containerDefinitions.api.environment.GIT_SHA"]
    assert (variable["before"], variable["after"]) == (first, second)


def test_what_deploy_would_refuse_is_listed_and_plan_still_exits_0(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")
    world.run("deploy")
    world.run("rollback")
    (world.folder / "web" / "half.txt").write_text("x")
    plan = world.run("plan")
    assert plan.code == 0
    assert len(plan.document["refusals"]) == 2
    assert "web/half.txt" in plan.document["refusals"][0]
    assert "withdrawn" in plan.document["refusals"][1]
    assert world.run("deploy").code == 4


def test_the_way_back_is_ready_once_there_is_a_verified_release_before(world: World) -> None:
    world.commit("first")
    first = world.run("deploy")
    assert first.document["way_back"]["ready"] is False
    world.commit("second")
    second = world.run("deploy")
    assert second.document["way_back"] == {
        "ready": True,
        "release": first.document["release"]["id"],
        "problems": [],
    }
    for command in ("status", "plan"):
        assert world.run(command).document["way_back"] == second.document["way_back"]
    assert "way back: ready" in second.people


def test_the_way_back_names_the_image_that_a_lifecycle_rule_deleted(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    image = world.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:2"})["taskDefinition"][
        "containerDefinitions"
    ][0]["image"]
    world.commit("second", web=healthy())
    world.run("deploy")
    digest = image.partition("@")[2]
    world.sim.ecr.batch_delete_image({"repositoryName": "shop/api", "imageIds": [{"imageDigest": digest}]})
    back = world.run("status").document["way_back"]
    assert back["ready"] is False
    assert digest in back["problems"][0]


def test_an_unhealthy_release_is_no_way_back(world: World) -> None:
    world.commit("first", sick())
    world.run("deploy", "--no-rollback")
    world.commit("second")
    done_ = world.run("deploy")
    assert done_.document["way_back"]["ready"] is False
    assert "no verified release" in done_.document["way_back"]["problems"][0]


def registered_by_terraform(world: World, memory: str = "1024") -> None:
    """As under `ignore_changes = [task_definition]`: a new revision of the family, which the service does not run."""
    live = world.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:2"})["taskDefinition"]
    body = {name: live[name] for name in ("family", "containerDefinitions", "cpu", "networkMode")}
    world.sim.ecs.register_task_definition({**body, "memory": memory})


def test_a_revision_that_terraform_left_behind_is_the_base_of_the_next_release(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    registered_by_terraform(world)
    world.commit("second", api=crashing())
    world.run("deploy")  # its own revision stands above Terraform's, and is put back
    world.commit("third")
    plan = world.run("plan")
    diff = {field["path"]: (field["before"], field["after"]) for field in plan.document["services"]["api"]["diff"]}
    assert diff["memory"] == ("512", "1024")
    assert any("dev-api:3 was registered by somebody else" in text for text in plan.document["warnings"])
    assert world.run("deploy").code == 0
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    assert live["memory"] == "1024"


def test_what_runs_otherwise_than_released_is_told_by_plan_and_status(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    registered_by_terraform(world)
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:3"})
    world.sim.clock.advance(300)
    (drift,) = world.run("status").document["drift"]
    assert (drift["service"], drift["running"].rpartition("/")[2]) == ("api", "dev-api:3")
    assert any("dev-api:3" in text for text in world.run("plan").document["warnings"])
    world.commit("second")
    assert world.run("deploy").code == 0
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    assert live["memory"] == "1024"  # what a person set by hand is kept
