"""What `deploy` refuses: `plan` lists it in the same words and exits 0, `deploy` exits with its code, having changed
nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.flow.larger import set_running
from tests.flow.scenarios import commit_without_images, planned_content, released
from tests.flow.world import World, healthy
from tests.simulator.setup import container


@dataclass(frozen=True)
class Refusal:
    """``arrange`` leads to it and gives the options of ``deploy``; ``code`` and ``words`` are how it ends."""

    arrange: Callable[[World], tuple[str, ...]]
    code: int
    words: tuple[str, ...]


REFUSALS: dict[str, Refusal] = {}
Arrange = Callable[[World], tuple[str, ...]]


def refusal(code: int, *words: str) -> Callable[[Arrange], Arrange]:
    def put(arrange: Arrange) -> Arrange:
        REFUSALS[arrange.__name__] = Refusal(arrange, code, words)
        return arrange

    return put


def configure(world: World, old: str, new: str) -> None:
    """The configuration with ``new`` in the place of ``old``, not committed yet."""
    path = world.folder / "deploykit.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@refusal(4, "not committed", "web/half.txt")
def uncommitted_changes(world: World) -> tuple[str, ...]:
    world.commit("first")
    (world.folder / "web" / "half.txt").write_text("x")
    return ()


@refusal(4, "is older than the running")
def an_older_commit(world: World) -> tuple[str, ...]:
    first = world.commit("first")
    world.commit("second")
    assert world.run("deploy").code == 0
    return ("--sha", first)


@refusal(4, "was withdrawn", "prices are wrong")
def a_withdrawn_commit(world: World) -> tuple[str, ...]:
    released(world)
    world.commit("second")
    assert world.run("deploy").code == 0
    assert world.run("rollback", "--reason", "prices are wrong").code == 0
    return ()


@refusal(4, "belongs to environment dev, not prod")
def the_service_of_another_environment(world: World) -> tuple[str, ...]:
    released(world)
    configure(world, "[environments.dev]", "[environments.prod]")
    world.commit("second")
    return ()


@refusal(4, "distribution E1SHOP of [cdn.site] is also named by environment prod")
def the_distribution_of_two_environments(world: World) -> tuple[str, ...]:
    prod = '[environments.prod]\naccount = "108581769167"\ncluster = "prod"\nurl = "https://shop.example"\n\n'
    configure(world, "[services.api]", f"{prod}[services.api]")
    world.commit("first")
    return ("--env", "dev")


@refusal(5, "service api is under the CODE_DEPLOY controller")
def a_service_that_is_not_for_ecs_to_roll_out(world: World) -> tuple[str, ...]:
    world.sim.state.services["dev", "dev-api"].body["deploymentController"] = {"type": "CODE_DEPLOY"}
    world.commit("first")
    return ()


@refusal(5, "service dev-ape does not exist in cluster dev")
def a_service_that_does_not_exist(world: World) -> tuple[str, ...]:
    configure(world, "dev-api", "dev-ape")
    world.commit("first")
    return ()


@refusal(5, "ECS cluster dew does not exist")
def a_cluster_that_does_not_exist(world: World) -> tuple[str, ...]:
    configure(world, 'cluster = "dev"', 'cluster = "dew"')
    world.commit("first")
    return ()


@refusal(5, "the ECR repository shop/ape does not exist", "aws ecr create-repository")
def a_repository_that_does_not_exist(world: World) -> tuple[str, ...]:
    world.commit("first")
    configure(world, "shop/api", "shop/ape")
    world.git("commit", "-qam", "another repository")
    return ()


@refusal(5, "bucket shop-state")
def a_bucket_that_does_not_exist(world: World) -> tuple[str, ...]:
    del world.sim.s3.buckets["shop-state"]
    world.commit("first")
    return ()


@refusal(5, "api/sql of `migrate.paths` does not exist in commit")
def a_path_of_a_migration_that_does_not_exist(world: World) -> tuple[str, ...]:
    configure(world, "[services.api]\n", '[services.api]\nmigrate = { command = ["true"], paths = ["api/sql"] }\n')
    world.commit("first")
    return ()


@refusal(5, "has no container 'backend'")
def a_container_that_is_not_in_the_definition(world: World) -> tuple[str, ...]:
    configure(world, 'service = "dev-api"', 'service = "dev-api"\ncontainer = "backend"')
    world.commit("first")
    return ()


@refusal(5, "release_env GIT_SHA is also a secret of container api")
def a_version_that_is_a_secret(world: World) -> tuple[str, ...]:
    set_running(world, "api", [])
    definition = world.sim.state.services["dev", "dev-api"].definition
    arn = world.sim.secrets.put("shop/sha", "value")
    definition.body["containerDefinitions"][0]["secrets"] = [{"name": "GIT_SHA", "valueFrom": arn}]
    world.commit("first")
    return ()


@refusal(5, "CloudFront would refuse the invalidation", "[cdn.site]")
def more_wildcards_than_cloudfront_takes(world: World) -> tuple[str, ...]:
    paths = ", ".join(f'"/{number}/*"' for number in range(16))
    configure(world, 'after = ["web"]', f'after = ["web"]\npaths = [{paths}]')
    world.commit("first")
    return ()


@refusal(5, "api: the registry has another image of commit", "build_args")
def another_image_of_the_same_commit(world: World) -> tuple[str, ...]:
    sha = commit_without_images(world)
    content = planned_content(world, "api")
    world.sim.push("shop/api", sha)
    world.sim.ecr.repositories["shop/api"].images[-1].tags.append(content)
    world.sim.push("shop/web", sha)
    configure(world, 'context = "api"', 'context = "api"\nbuild_args = { COLOUR = "blue" }')
    return ("--sha", "HEAD")


@refusal(5, "NPM_TOKEN", "build_secrets")
def a_secret_among_the_build_arguments(world: World) -> tuple[str, ...]:
    configure(world, 'context = "api"', 'context = "api"\nbuild_args = { NPM_TOKEN = "x1" }')
    world.commit("first")
    return ()


@refusal(5, "secret:shop/gone-AbCdEf does not exist, and api needs it")
def a_secret_that_the_new_revision_needs(world: World) -> tuple[str, ...]:
    agent = container(world.sim, "agent", "public.ecr.aws/datadog/agent:7")
    arn = world.sim.secrets.put("shop/gone", "value")
    set_running(world, "api", [{**agent, "secrets": [{"name": "KEY", "valueFrom": arn}]}])
    del world.sim.secrets.values["shop/gone"]
    world.commit("first", healthy())
    return ()


@pytest.mark.parametrize("name", REFUSALS)
def test_what_deploy_refuses_is_listed_by_plan_in_the_same_words(world: World, name: str) -> None:
    expected = REFUSALS[name]
    options = expected.arrange(world)
    before = {key: world.running(key) for key in world.services}
    done = world.run("deploy", *options)
    proof = world.proofs[-1]
    assert (done.code, done.changing) == (expected.code, []), done.people
    assert {key: world.running(key) for key in world.services} == before
    error = done.document["error"]
    said = [error["message"], error["hint"], *(problem["message"] for problem in error["problems"])]
    assert (proof.plan_code, len(proof.plan["refusals"])) == (0, 1)
    (listed,) = proof.plan["refusals"]
    for word in expected.words:
        assert word in listed
        assert any(word in text for text in said)


def test_everything_that_deploy_would_refuse_is_listed_at_once_in_its_order(world: World) -> None:
    a_withdrawn_commit(world)
    uncommitted_changes_only(world)
    world.run("deploy")
    refusals = world.proofs[-1].plan["refusals"]
    assert ["web/half.txt" in refusals[0], "was withdrawn" in refusals[1], len(refusals)] == [True, True, 2]
    done = world.run("deploy", "--allow-withdrawn")
    assert (done.code, len(world.proofs[-1].plan["refusals"])) == (4, 1)


def uncommitted_changes_only(world: World) -> None:
    (world.folder / "web" / "half.txt").write_text("x")


@pytest.mark.parametrize(
    ("arrange", "insist"), [(an_older_commit, "--allow-older"), (a_withdrawn_commit, "--allow-withdrawn")]
)
def test_what_is_insisted_on_is_planned_and_done(world: World, arrange: Arrange, insist: str) -> None:
    options = arrange(world)
    done = world.run("deploy", *options, insist)
    assert (done.code, world.proofs[-1].plan["refusals"]) == (0, [])
    assert world.proofs[-1].plan["order"] == ["api", "web"]


def test_without_a_commit_there_is_nothing_to_plan_for(world: World) -> None:
    world.commit("first")
    for command in ("plan", "deploy"):
        assert world.command(command, "--sha", "0123abc").code == 5
