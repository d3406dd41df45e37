"""What tests of migrations share: a shop whose api migrates a database, and what it left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.flow.world import Done, Json, World, healthy, shop
from tests.simulator.ecs_state import Behaviour, Task

MIGRATE = 'migrate = {{ command = ["node", "migrate.js"], paths = ["api/database"], timeout = "5m"{more} }}\n'
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}


@contextmanager
def migrating_shop(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "", **options: Any) -> Iterator[World]:
    """The shop, whose api migrates a database; ``more`` continues the table of its ``migrate``."""
    with shop(folder, monkeypatch, **options) as world:
        for service in world.sim.state.services.values():
            service.body["networkConfiguration"] = NETWORK
        with_migration(world, more=more)
        change_schema(world, "1")
        yield world


def with_migration(world: World, key: str = "api", line: str = MIGRATE, more: str = "") -> None:
    """``migrate`` under a service of the configuration."""
    path = world.folder / "deploykit.toml"
    head = f"[services.{key}]\n"
    path.write_text(path.read_text().replace(head, head + line.format(more=more)))


def change_schema(world: World, text: str, folder: str = "api/database") -> None:
    (world.folder / folder).mkdir(parents=True, exist_ok=True)
    (world.folder / folder / "schema.sql").write_text(text)


def migrations(world: World) -> list[Task]:
    return [task for task in world.sim.state.tasks.values() if (task.started_by or "").startswith("deploykit/")]


def entries(world: World) -> list[Json]:
    objects = world.sim.s3.buckets["shop-state"]
    return [json.loads(objects[key].body) for key in sorted(objects) if key.startswith("dev/releases/")]


def step(done: Done, name: str = "migrate") -> str:
    return str(next(item["status"] for item in done.document["steps"] if item["name"] == name))


def pushed(world: World, sha: str) -> str:
    """The digest of the api's image of a commit."""
    image = world.sim.ecr.repositories["shop/api"].find({"imageTag": sha})
    assert image is not None
    return image.digest


def migrates(seconds: float = 20.0, code: int = 0, *lines: str) -> Behaviour:
    return healthy(run_task=(seconds, code), log_lines=list(lines))
