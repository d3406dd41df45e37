"""What would fail in ten minutes fails before anything changes, in `plan` and in `deploy`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.flow.world import Json, World


def rewritten(world: World, change: Callable[[Json], Any]) -> None:
    """The live definition of the api service, changed as somebody's Terraform would."""
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running("api")})["taskDefinition"]
    kept = ("family", "containerDefinitions", "cpu", "memory", "networkMode", "executionRoleArn")
    body = {name: live[name] for name in kept if name in live}
    change(body)
    revision = world.sim.ecs.register_task_definition(body)["taskDefinition"]["taskDefinitionArn"]
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": revision})
    world.sim.clock.advance(300)


def a_secret(body: Json) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:108581769167:secret:gone-AbCdEf"
    body["containerDefinitions"][0]["secrets"] = [{"name": "API_KEY", "valueFrom": arn}]


def a_role(body: Json) -> None:
    body["executionRoleArn"] = "arn:aws:iam::108581769167:role/gone"


def a_log_group(body: Json) -> None:
    body["containerDefinitions"][0]["logConfiguration"]["options"]["awslogs-group"] = "/ecs/gone"


def a_port(body: Json) -> None:
    body["containerDefinitions"][0]["portMappings"] = [{"containerPort": 4000}]


MISSING = {
    "secret": (a_secret, "secret:gone-AbCdEf"),
    "role": (a_role, "role/gone"),
    "log group": (a_log_group, "/ecs/gone"),
    "port": (a_port, "maps 4000"),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_lacks_is_named_by_plan_and_refused_by_deploy(world: World, what: str) -> None:
    change, said = MISSING[what]
    rewritten(world, change)
    if "/ecs/gone" in world.sim.logs.groups:  # the tasks that ran meanwhile have made it
        world.sim.logs.groups.remove("/ecs/gone")
    before = world.running("api")
    world.commit("first")
    plan = world.run("plan")
    assert plan.code == 0
    assert [text for text in plan.document["refusals"] if said in text]
    done = world.run("deploy")
    assert done.code == 5
    assert said in done.people
    assert done.changing == []
    assert world.running("api") == before


@pytest.mark.parametrize(
    ("operation", "service"), [("GetRole", "iam"), ("DescribeSecret", "secretsmanager"), ("DescribeLogGroups", "logs")]
)
def test_what_may_not_be_looked_at_is_a_warning_and_never_a_failure(world: World, operation: str, service: str) -> None:
    rewritten(world, a_role)
    rewritten(world, a_secret)
    world.sim.iam.roles.add("gone")
    world.sim.secrets.put("gone", "value")
    world.commit("first")
    world.sim.faults.deny(operation, service=service)
    done = world.run("plan")
    assert done.code == 0
    assert [text for text in done.document["warnings"] if "could not look" in text]
