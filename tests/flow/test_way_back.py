"""The way back, proven before it is needed: whatever its release lacks is named, wherever the way back is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from deploykit.__main__ import main
from tests.flow.world import Done, Json, World, sick

SECRET, ROLE = "shop/api-AbCdEf", "shop-task"
ARN = f"arn:aws:secretsmanager:us-east-1:108581769167:secret:{SECRET}"


@dataclass
class Released:
    """A release to go back to, whose api needs a secret and a role that the newest revision does without."""

    world: World
    first: str
    release: str = ""
    second: Done | None = field(default=None)

    def deploy_second(self) -> Done:
        self.world.commit("second")
        self.second = self.world.run("deploy")
        assert self.second.code == 0, self.second.people
        return self.second


def content(world: World, name: str) -> Json:
    live: Json = world.sim.ecs.describe_task_definition({"taskDefinition": name})["taskDefinition"]
    kept = ("family", "containerDefinitions", "cpu", "memory", "networkMode", "taskRoleArn")
    return {key: live[key] for key in kept if key in live}


@pytest.fixture
def released(world: World) -> Released:
    """The first release needs the secret and the role; the second will be made from a revision that does not."""
    plain = content(world, "dev-api:1")
    needy = content(world, "dev-api:1") | {"taskRoleArn": f"arn:aws:iam::108581769167:role/{ROLE}"}
    needy["containerDefinitions"][0]["secrets"] = [{"name": "API_KEY", "valueFrom": ARN}]
    world.sim.secrets.put("shop/api", "value")
    world.sim.iam.roles.add(ROLE)
    world.sim.ecs.register_task_definition(needy)  # as Terraform does, for the next release to be made from
    first = world.commit("first")
    done = world.run("deploy")
    assert (done.code, world.running("api")) == (0, "dev-api:3"), done.people
    world.sim.ecs.register_task_definition(plain)
    return Released(world, first, done.document["release"]["id"])


def image(released: Released) -> str:
    name: str = content(released.world, "dev-api:3")["containerDefinitions"][0]["image"]
    return name.partition("@")[2]


def no_image(released: Released) -> str:
    """As a lifecycle rule of ECR deletes it."""
    digest = image(released)
    released.world.sim.ecr.batch_delete_image({"repositoryName": "shop/api", "imageIds": [{"imageDigest": digest}]})
    return digest


def no_revision(released: Released) -> str:
    """Deleted, not only deregistered: ECS describes it no more."""
    revision = released.world.sim.state.definitions["dev-api"][2]
    revision.status, revision.revision = "DELETE_IN_PROGRESS", -3
    return "dev-api:3 was deleted"


def no_secret(released: Released) -> str:
    del released.world.sim.secrets.values["shop/api"]
    return SECRET


def no_role(released: Released) -> str:
    released.world.sim.iam.roles.remove(ROLE)
    return f"role/{ROLE}"


REMOVED: dict[str, Callable[[Released], str]] = {
    "image": no_image,
    "revision": no_revision,
    "secret": no_secret,
    "role": no_role,
}


def said(world: World, command: str) -> str:
    """What people read."""
    out = io.StringIO()
    main([command], clock=world.sim.clock.wall(), environ=world.environ, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_a_way_back_that_lacks_nothing_is_ready_wherever_it_is_told(released: Released) -> None:
    world, second = released.world, released.deploy_second()
    ready = {"ready": True, "release": released.release, "problems": []}
    assert second.document["way_back"] == ready
    assert f"way back: ready (release {released.release})" in second.people
    for command in ("status", "plan"):
        assert world.run(command).document["way_back"] == ready
        assert f"way back: ready (release {released.release})" in said(world, command)
    assert world.run("rollback").code == 0
    assert world.running("api") == "dev-api:3"


@pytest.mark.parametrize("what", REMOVED)
def test_what_the_release_to_go_back_to_lacks_is_named_everywhere_and_refused(released: Released, what: str) -> None:
    world = released.world
    released.deploy_second()
    named = REMOVED[what](released)
    again = world.run("deploy")
    assert (again.code, again.document["outcome"]) == (0, "unchanged")
    for back in (again, world.run("status"), world.run("plan")):
        way_back = back.document["way_back"]
        assert (way_back["ready"], way_back["release"]) == (False, released.release)
        assert [named in problem for problem in way_back["problems"]] == [True]
    for text in (again.people, said(world, "status"), said(world, "plan")):
        (line,) = (line for line in text.splitlines() if "way back:" in line)
        assert f"way back: not ready (release {released.release}), because " in line
        assert named in line
    before = {key: world.running(key) for key in world.services}
    gone = world.run("rollback")
    assert (gone.code, gone.changing) == (5, [])
    assert named in gone.people
    assert f"release {released.release} would not start again" in gone.document["error"]["message"]
    assert {key: world.running(key) for key in world.services} == before


def test_what_is_removed_after_the_release_is_seen_by_the_next_look(released: Released) -> None:
    world = released.world
    assert released.deploy_second().document["way_back"]["ready"] is True
    named = no_secret(released)
    assert [named in text for text in world.run("status").document["way_back"]["problems"]] == [True]
    world.sim.secrets.put("shop/api", "another value")
    assert world.run("status").document["way_back"]["ready"] is True


def test_everything_that_lacks_is_named_at_once_by_the_release_itself(released: Released) -> None:
    named = [remove(released) for what, remove in REMOVED.items() if what != "revision"]
    problems = released.deploy_second().document["way_back"]["problems"]
    assert [text for text in named if not any(text in problem for problem in problems)] == []
    assert len(problems) == 3


def test_a_revision_that_was_only_deregistered_is_no_hindrance(released: Released) -> None:
    world = released.world
    world.sim.ecs.deregister_task_definition({"taskDefinition": "dev-api:3"})
    assert released.deploy_second().document["way_back"]["ready"] is True
    assert world.run("status").document["way_back"]["ready"] is True
    back = world.run("rollback")
    assert (back.code, back.count("RegisterTaskDefinition")) == (0, 1)
    assert {service["sha"] for service in back.document["services"].values()} == {released.first}


@pytest.mark.parametrize(
    ("operation", "service", "named"),
    [("DescribeSecret", "secretsmanager", SECRET), ("GetRole", "iam", ROLE), ("BatchGetImage", "ecr", "shop/api")],
)
def test_a_way_back_that_may_not_be_looked_at_says_what_was_not_seen(
    released: Released, operation: str, service: str, named: str
) -> None:
    world = released.world
    released.deploy_second()
    world.sim.faults.deny(operation, service=service)
    back = world.run("status").document["way_back"]
    assert (back["ready"], back["release"]) == (True, released.release)  # nothing is known to lack
    problems = [problem for problem in back["problems"] if "could not look for" in problem and operation in problem]
    assert any(named in problem for problem in problems)
    assert f"way back: ready (release {released.release}), though could not look" in said(world, "status")


def test_before_there_is_a_second_release_there_is_no_way_back(world: World) -> None:
    world.commit("first")
    back = world.run("deploy").document["way_back"]
    assert (back["ready"], back["release"]) == (False, None)
    assert "no verified release before the running one" in back["problems"][0]
    assert "way back: not ready, because there is no verified release" in said(world, "status")


def test_an_unhealthy_release_is_no_way_back(world: World) -> None:
    world.commit("first", sick())
    world.run("deploy", "--no-rollback")
    world.commit("second")
    back = world.run("deploy").document["way_back"]
    assert (back["ready"], back["release"]) == (False, None)
    assert "no verified release" in back["problems"][0]


def test_without_a_state_plan_deploy_and_status_tell_the_way_back_that_rollback_goes(world: World) -> None:
    world.without_state()
    shas: list[str] = []
    for name in ("first", "second"):
        shas.append(world.commit(name))
        deployed = world.run("deploy")
        assert deployed.code == 0, deployed.people
    told = [deployed, *(world.run(command) for command in ("plan", "status", "deploy"))]
    assert told[-1].document["outcome"] == "unchanged"
    backs = [done.document["way_back"] for done in told]
    assert backs[0]["ready"], backs[0]
    assert backs == [backs[0]] * 4
    gone_to = world.run("rollback").document["release"]["sha"]
    assert (gone_to, backs[0]["release"].endswith(gone_to[:7])) == (shas[0], True)
