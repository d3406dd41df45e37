"""Situations in which a release is planned and made: each leaves a commit to be deployed.

Whatever a test of these folders deploys is held against its plan (``World.proving``); here are the situations that no
other test is about.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.larger import set_running, seven, two_environments, waiting_first, with_tools, with_worker
from tests.flow.migrations import change_schema, migrates, migrating_shop, with_migration
from tests.flow.world import World, crashing, healthy, shop
from tests.simulator.setup import container

Platform = Callable[[Path, pytest.MonkeyPatch], AbstractContextManager[World]]


@dataclass(frozen=True)
class Scenario:
    """``arrange`` leaves a commit for ``deploykit deploy OPTIONS`` on ``platform``."""

    arrange: Callable[[World], None]
    platform: Platform = shop
    options: tuple[str, ...] = ()


SCENARIOS: dict[str, Scenario] = {}


def scenario(platform: Platform = shop, *options: str) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Put a set-up into the table, under its own name."""

    def put(arrange: Callable[[World], None]) -> Callable[[World], None]:
        SCENARIOS[arrange.__name__] = Scenario(arrange, platform, options)
        return arrange

    return put


# -- what went before --------------------------------------------------------------------------------------------------


@scenario()
def nothing_was_released_yet(world: World) -> None:
    world.commit("first")


@scenario()
def one_service_went_ahead(world: World) -> None:
    released(world)
    world.commit("second")
    assert world.run("deploy", "api").code == 0


@scenario()
def it_runs_already(world: World) -> None:
    released(world)


@scenario()
def the_release_before_was_put_back(world: World) -> None:
    released(world)
    world.commit("second", api=crashing())
    assert world.run("deploy").code == 10
    world.commit("third")


@scenario()
def a_rollback_went_before(world: World) -> None:
    released(world)
    world.commit("second")
    assert world.run("deploy").code == 0
    assert world.run("rollback").code == 0
    world.commit("third")


@scenario()
def the_release_was_interrupted_between_two_services(world: World) -> None:
    released(world)
    world.commit("second", api=healthy(start=30.0), web=healthy(start=60.0))
    world.interrupted(40, "deploy")


@scenario()
def the_release_was_not_judged(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("CreateInvalidation", service="cloudfront")
    assert world.run("deploy").code == 12
    world.sim.faults.clear()


# -- images ------------------------------------------------------------------------------------------------------------


@scenario()
def the_registry_has_this_content_of_another_commit(world: World) -> None:
    commit_without_images(world)
    by_content(world, "api", "web")


@scenario(with_worker)
def an_image_that_two_services_run_gets_one_more_name(world: World) -> None:
    commit_without_images(world)
    by_content(world, "api", "web")


@scenario()
def only_one_service_changed(world: World) -> None:
    released(world)
    live = world.sim.ecr.repositories["shop/api"].find({"imageTag": world.git("rev-parse", "HEAD")})
    assert live is not None
    (world.folder / "web" / "page.html").write_text("new")
    world.git("add", "-A")
    world.git("commit", "-m", "only the web")
    sha = world.git("rev-parse", "HEAD")
    world.sim.image(world.sim.push("shop/web", sha), healthy())
    live.tags.append(planned_content(world, "api"))  # as the build of the first commit would have named it


@scenario(with_tools)
def an_image_without_a_service_is_there(world: World) -> None:
    sha = commit_without_images(world)
    for key in ("api", "web", "tools"):
        world.sim.image(world.sim.push(f"shop/{key}", sha), healthy())


# -- task definitions and what runs ------------------------------------------------------------------------------------


@scenario()
def terraform_left_a_revision(world: World) -> None:
    released(world)
    left_behind(world)
    world.commit("second")


@scenario()
def somebody_set_another_revision(world: World) -> None:
    released(world)
    left_behind(world)
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:3"})
    world.sim.clock.advance(300)
    world.commit("second")


@scenario()
def terraform_left_a_secret_for_content_that_runs(world: World) -> None:
    released(world)
    world.sim.secrets.put("shop/key", "value")
    secret = {"name": "KEY", "valueFrom": "arn:aws:secretsmanager:us-east-1:108581769167:secret:shop/key-AbCdEf"}
    left_behind(world, secrets=[secret])


@scenario()
def containers_of_others_stand_beside_ours(world: World) -> None:
    set_running(world, "api", [container(world.sim, "nginx", "public.ecr.aws/nginx/nginx:1.29")])
    world.commit("first")


@scenario()
def describing_lags_and_calls_are_throttled(world: World) -> None:
    world.sim.state.lag = 6.0
    for operation in ("RegisterTaskDefinition", "UpdateService", "CreateInvalidation", "PutObject"):
        world.sim.faults.throttle(operation, service="cloudfront" if operation == "CreateInvalidation" else None)
    world.commit("first")


# -- order, environments, size -----------------------------------------------------------------------------------------


@scenario(waiting_first)
def the_file_names_first_what_is_rolled_out_last(world: World) -> None:
    world.commit("first")


@scenario(two_environments, "--env", "dev")
def the_file_has_another_environment(world: World) -> None:
    world.commit("first")


@scenario(seven)
def seven_services_change_side_by_side(world: World) -> None:
    world.commit("first")


@scenario(shop, "web", "--deadline", "20m", "--no-rollback")
def one_service_is_asked_for(world: World) -> None:
    world.commit("first")


# -- migrations --------------------------------------------------------------------------------------------------------


@scenario(migrating_shop)
def two_services_migrate(world: World) -> None:
    with_migration(world, "web", 'migrate = {{ command = ["./pages", "--all"] }}\n')
    world.commit("first")


@scenario(migrating_shop)
def the_migration_is_skipped(world: World) -> None:
    released(world)
    world.commit("second")


@scenario(migrating_shop)
def the_migration_of_an_interrupted_release_still_runs(world: World) -> None:
    world.commit("first", api=migrates(120.0))
    world.interrupted(40, "deploy")


@scenario(migrating_shop)
def the_migration_of_an_interrupted_step_has_failed_meanwhile(world: World) -> None:
    world.commit("first", api=migrates(60.0, 1))
    world.interrupted(40, "migrate")
    world.sim.clock.advance(100)
    repository = world.sim.ecr.repositories["shop/api"]
    found = repository.find({"imageTag": world.git("rev-parse", "HEAD")})
    assert found is not None
    world.sim.image(found.digest, migrates(5.0))


@scenario(migrating_shop)
def another_migration_still_runs(world: World) -> None:
    world.commit("first", api=migrates(200.0))
    world.interrupted(40, "deploy")
    change_schema(world, "2")
    world.commit("second")


# -- steps of these ----------------------------------------------------------------------------------------------------


def released(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0


def commit_without_images(world: World) -> str:
    (world.folder / "api" / "change.txt").write_text("nobody built it")
    world.git("add", "-A")
    world.git("commit", "-m", "not built")
    return world.git("rev-parse", "HEAD")


def planned_content(world: World, key: str) -> str:
    """The tag that the content of a service's image has or would have."""
    service = world.foresee().document["services"][key]
    assert service["action"] == "build"
    _, content = service["tags"]
    return str(content)


def by_content(world: World, *keys: str) -> None:
    """The registry has what HEAD's images are made of, under the names of their content alone."""
    tags = {key: planned_content(world, key) for key in keys}
    for key, tag in tags.items():
        world.sim.image(world.sim.push(f"shop/{key}", tag), healthy())


def left_behind(world: World, **changed: object) -> None:
    """A new revision of the api's family, which no service runs, as under ``ignore_changes = [task_definition]``."""
    live = world.sim.ecs.describe_task_definition({"taskDefinition": "dev-api:2"})["taskDefinition"]
    body = {name: live[name] for name in ("family", "containerDefinitions", "cpu", "networkMode")}
    body["containerDefinitions"] = [{**each, **changed} for each in body["containerDefinitions"]]
    world.sim.ecs.register_task_definition({**body, "memory": "1024"})
