"""`status` between and after runs."""

from __future__ import annotations

import io

from deploykit.__main__ import main
from tests.flow.test_accept_streams import EndsAfter
from tests.flow.world import World, healthy


def test_a_release_that_was_interrupted_is_unfinished_and_no_drift(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    second = world.commit("second")
    code = main(
        ["deploy"], clock=EndsAfter(world, 6), environ=world.environ, stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert code == 130
    found = world.run("status").document
    assert (found["release"]["sha"], found["release"]["verdict"]) == (second, None)
    assert "dev-api:3" in found["services"]["api"]["task_definition"]
    assert found["drift"] == []


def two_releases(world: World) -> tuple[str, str]:
    shas = world.commit("first"), world.commit("second")
    for sha in shas:
        assert world.run("deploy", "--sha", sha).code == 0
    return shas


def test_after_a_rollback_of_one_service_each_service_has_its_own_release_and_status_says_so(world: World) -> None:
    first, second = two_releases(world)
    assert world.run("rollback", "api").code == 0
    done = world.run("status")
    assert done.document["release"] == {"id": None, "sha": None, "verdict": None}
    assert {key: service["sha"] for key, service in done.document["services"].items()} == {"api": first, "web": second}
    assert done.document["drift"] == []
    assert "release  none as a whole: each service runs its own" in done.people
    assert world.run("rollback", "web").code == 0
    whole = world.run("status").document
    assert whole["release"]["sha"] == first
    assert whole["release"]["verdict"] == "healthy"


def test_a_release_that_was_not_proven_runs_no_more_once_one_of_its_services_is_rolled_back(world: World) -> None:
    first = world.commit("first")
    assert world.run("deploy").code == 0
    second = world.commit("second", web=healthy(answers={"*": (200, {"version": "0" * 40})}))
    assert world.run("deploy").code == 12
    assert world.run("status").document["release"]["sha"] == second
    assert world.run("rollback", "web").code == 0
    found = world.run("status").document
    assert {key: service["sha"] for key, service in found["services"].items()} == {"api": second, "web": first}
    assert found["release"] == {"id": None, "sha": None, "verdict": None}
    assert found["drift"] == []


def test_after_an_interrupted_rollback_no_release_is_said_to_run(world: World) -> None:
    first, second = two_releases(world)
    code = main(
        ["rollback"], clock=EndsAfter(world, 3), environ=world.environ, stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert code == 130
    found = world.run("status").document
    assert {key: service["sha"] for key, service in found["services"].items()} == {"api": first, "web": second}
    assert found["release"]["sha"] is None
    assert world.run("rollback", "--to", first[:12]).code == 0
    assert world.run("status").document["release"]["sha"] == first


def test_what_somebody_changed_by_hand_is_no_release_and_named(world: World) -> None:
    two_releases(world)
    served = world.services["web"]
    body = world.sim.state.services[served.cluster, served.name].definition.body
    made = world.sim.ecs.register_task_definition({**body, "cpu": "512"})["taskDefinition"]["taskDefinitionArn"]
    world.sim.ecs.update_service({"cluster": "dev", "service": served.name, "taskDefinition": made})
    world.sim.clock.advance(300)
    done = world.run("status")
    assert done.document["release"]["id"] is None
    whole, field = done.document["drift"]
    assert (whole["service"], whole["path"], whole["running"]) == ("web", "task_definition", made)
    assert field == {"service": "web", "path": "cpu", "released": "256", "running": "512"}
    assert "release  none: what runs is not what was released last" in done.people
    assert "drift  web: task_definition is dev-web:4, released was dev-web:3" in done.people
