"""What would fail in ten minutes fails before anything changes, in `plan` and in `deploy`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.flow.ends import refused
from tests.flow.world import Json, World, healthy


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


def test_what_an_image_was_made_of_is_a_warning_where_its_tags_may_not_be_listed(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("DescribeImages", service="ecr")
    plan = world.run("plan")
    told = "what the image of commit"
    assert (plan.code, plan.document["refusals"]) == (0, [])
    assert [text for text in plan.document["warnings"] if told in text and "ecr:DescribeImages" in text]
    done = world.run("deploy")
    assert done.code == 0, done.people
    assert told in done.people


EXECUTION = "arn:aws:iam::108581769167:role/execution"


def policy(world: World, repository: str, **statement: Any) -> None:
    """Give a repository a policy of one statement: by default one that denies pulls to everybody."""
    whole = {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage", **statement}
    text = json.dumps({"Version": "2012-10-17", "Statement": [whole]})
    world.sim.ecr.set_repository_policy({"repositoryName": repository, "policyText": text})


def pulled_by_a_role(world: World) -> None:
    def role(body: Json) -> None:
        body["executionRoleArn"] = EXECUTION

    world.sim.iam.roles.add("execution")
    rewritten(world, role)


def warned(world: World, *words: str) -> None:
    plan = world.run("plan")
    assert (plan.code, plan.document["refusals"]) == (0, [])
    assert [text for text in plan.document["warnings"] if all(word in text for word in words)], plan.document
    assert world.run("deploy").code == 0


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}, {"AWS": [EXECUTION]}])
def test_a_repository_that_denies_pulls_to_its_tasks_is_named_with_what_to_type(world: World, principal: Any) -> None:
    pulled_by_a_role(world)
    world.commit("first")
    policy(world, "shop/api", Principal=principal)
    refused(
        world,
        "api: the policy of repository shop/api denies ecr:BatchGetImage to its tasks",
        "aws ecr get-repository-policy --repository-name shop/api",
    )


@pytest.mark.parametrize(
    "statement",
    [
        {"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}},
        {"Principal": {"AWS": "arn:aws:iam::108581769167:root"}},
    ],
)
def test_a_denial_that_may_not_mean_these_tasks_is_a_warning(world: World, statement: Json) -> None:
    pulled_by_a_role(world)
    world.commit("first")
    policy(world, "shop/api", **statement)
    warned(world, "repository shop/api may deny ecr:BatchGetImage")


@pytest.mark.parametrize(
    "statement", [{"Action": "ecr:DeleteRepository"}, {"Effect": "Allow"}, {"Principal": {"AWS": "999988887777"}}]
)
def test_a_policy_about_something_else_says_nothing(world: World, statement: Json) -> None:
    pulled_by_a_role(world)
    world.commit("first")
    policy(world, "shop/api", **statement)
    plan = world.run("plan")
    assert (plan.document["refusals"], plan.document["warnings"]) == ([], [])


def test_a_policy_that_may_not_be_read_is_a_warning(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("GetRepositoryPolicy", service="ecr")
    warned(world, "could not look at the policy of repository shop/api", "ecr:GetRepositoryPolicy")


def with_a_sidecar_of(account: str) -> Callable[[Json], None]:
    image = f"{account}.dkr.ecr.us-east-1.amazonaws.com/tools/proxy:1"

    def add(body: Json) -> None:
        body["containerDefinitions"].append({"name": "proxy", "image": image, "essential": False})

    return add


def test_another_accounts_repository_must_let_this_account_in(world: World) -> None:
    """The simulator shows one registry to all accounts; what counts is whose repository it is."""
    world.sim.image(world.sim.push("tools/proxy", "1"), healthy())
    rewritten(world, with_a_sidecar_of("999988887777"))
    world.commit("first")
    refused(
        world,
        "api: the policy of repository tools/proxy of account 999988887777 does not allow account 108581769167 to pull",
        "--registry-id 999988887777",
    )
    pull = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    policy(world, "tools/proxy", Effect="Allow", Principal={"AWS": "108581769167"}, Action=pull)
    assert world.run("plan").document["refusals"] == []
    assert world.run("deploy").code == 0


@pytest.mark.parametrize("command", ["deploy", "build"])
def test_a_repository_that_denies_pushes_is_named_before_anything_is_built(world: World, command: str) -> None:
    (world.folder / "api" / "page.html").write_text("new")
    world.git("add", "-A")
    world.git("commit", "-qm", "first")
    policy(world, "shop/api", Action=["ecr:PutImage", "ecr:Initiate*"])
    said = "api: the policy of repository shop/api denies ecr:InitiateLayerUpload, ecr:PutImage to this run"
    plan = world.run("plan")
    assert [text for text in plan.document["refusals"] if said in text], plan.document
    world.environ["PATH"] = "/nowhere"  # no docker is asked for
    done = world.run(command)
    assert (done.code, done.changing) == (5, [])
    assert said in done.people


def test_a_denial_of_pushes_counts_for_this_run_s_own_role_only(world: World) -> None:
    def tagged_anew(name: str) -> Json:
        role = f"arn:aws:iam::108581769167:role/{name}"
        policy(world, "shop/api", Principal={"AWS": role}, Action="ecr:PutImage")
        return world.run("plan", "api").document

    (world.folder / "api" / "page.html").write_text("new")
    world.git("add", "-A")
    world.git("commit", "-qm", "first")
    assert tagged_anew("somebody-else")["refusals"] == []
    assert "ecr:PutImage" in tagged_anew("tests")["refusals"][0]


def test_what_plan_could_not_look_for_on_the_way_is_in_its_document_and_said_once(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("ListTaskDefinitions", service="ecs")
    done = world.run("plan")
    assert done.code == 0
    (warning,) = [text for text in done.document["warnings"] if "ecs:ListTaskDefinitions" in text]
    assert warning.startswith("revisions that nothing runs yet are not looked for")
    assert done.people.count("revisions that nothing runs yet") == 1
