"""The shop with services whose rollouts move requests between two revisions, and looks at who serves."""

from __future__ import annotations

from typing import Any

import requests

from tests.flow.world import World

BAKE = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 3}


def serving(world: World) -> str:
    """The version that users get from api at this moment."""
    return str(requests.get(f"{world.sim.url}/api/health", timeout=5).json()["version"])


def watch(world: World, seconds: int) -> list[tuple[str, str]]:
    """(stage, version that users get) of api, noted every second from now on."""
    noted: list[tuple[str, str]] = []

    def note() -> None:
        record = world.sim.state.services["dev", "dev-api"].records[0]
        task = world.sim.data_plane.candidates(world.sim.data_plane.routes[0])[0]
        version = world.sim.data_plane.environment(task, "api").get("GIT_SHA", "none")
        noted.append((str(record.get("lifecycleStage", record["status"])), version))

    for second in range(1, seconds):
        world.sim.clock.after(second, note)
    return noted


def asked_groups(world: World) -> set[str]:
    """The names of the target groups whose targets' health was asked for."""
    calls = [call for call in world.sim.calls if call.operation == "DescribeTargetHealth"]
    return {call.params["TargetGroupArn"].split("/")[1] for call in calls}


def configure(world: World, text: str) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")


def set_strategy(world: World, **settings: Any) -> None:
    world.sim.state.services["dev", "dev-api"].body["deploymentConfiguration"] = settings
