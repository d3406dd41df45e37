"""Projects that are other than the shop: many services, many containers, settings and environments of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.flow.world import CONFIGURATION, World, shop

HEAD = """
[project]
name = "shop"
region = "us-east-1"

[environments.dev]
account = "108581769167"
cluster = "dev"
url = "{url}"
state = "{state}"
"""
SERVICE = """
[services.{key}]
context = "{key}"
repository = "shop/{key}"
service = "dev-{key}"
release_env = "GIT_SHA"
"""


@contextmanager
def many(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, **options: Any) -> Iterator[World]:
    """A shop of ``number`` services, s0, s1 …, that wait for nobody and are asked nothing."""
    keys = [f"s{index}" for index in range(number)]
    configuration = HEAD + "".join(SERVICE.replace("{key}", key) for key in keys)
    (folder / "api").mkdir(parents=True)  # where a commit of the shop writes
    with shop(folder, monkeypatch, configuration=configuration, keys=keys, **options) as world:
        yield world


def set_running(world: World, key: str, containers: Sequence[dict[str, Any]], **settings: Any) -> None:
    """Have a service run these containers (added to its own) with these settings of UpdateService, and wait for it."""
    served = world.services[key]
    live = world.sim.ecs.describe_task_definition({"taskDefinition": world.running(key)})["taskDefinition"]
    body = {name: live[name] for name in ("family", "cpu", "memory", "networkMode", "requiresCompatibilities")}
    body["containerDefinitions"] = [*live["containerDefinitions"], *containers]
    arn = world.sim.ecs.register_task_definition(body)["taskDefinition"]["taskDefinitionArn"]
    world.sim.ecs.update_service({"cluster": served.cluster, "service": served.name, "taskDefinition": arn, **settings})
    world.sim.clock.advance(300)


WORKER = '\n[services.worker]\nimage = "api"\nservice = "dev-worker"\nrelease_env = "GIT_SHA"\ncontainer = "worker"\n'
TOOLS = '\n[services.tools]\ncontext = "web"\nrepository = "shop/tools"\n'
STAGING = """
[environments.staging]
account = "108581769167"
cluster = "staging"
url = "https://staging.example"

[environments.staging.cdn.site]
distribution = "E2SHOP"
"""


@contextmanager
def with_worker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A third service, which runs the api's image."""
    with shop(folder, monkeypatch, extra=WORKER, keys=("api", "web", "worker")) as world:
        yield world


@contextmanager
def with_tools(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An image without a service."""
    with shop(folder, monkeypatch, extra=TOOLS) as world:
        world.sim.push("shop/tools", "other")
        yield world


@contextmanager
def two_environments(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with shop(folder, monkeypatch, extra=STAGING) as world:
        yield world


@contextmanager
def waiting_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The file names first the service that is rolled out last."""
    head, _, rest = CONFIGURATION.partition("[services.api]")
    api, _, rest = rest.partition("[services.web]")
    web, _, end = rest.partition("[cdn.site]")
    text = f"{head}[services.web]{web}[services.api]{api}[cdn.site]{end}"
    with shop(folder, monkeypatch, configuration=text) as world:
        yield world


@contextmanager
def seven(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with many(folder, monkeypatch, 7) as world:
        yield world
