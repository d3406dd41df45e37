"""What a deploy says when there is no Docker Engine, or no registry, to bring an image to: and it changes nothing."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.flow.world import Done, World, shop

pytestmark = pytest.mark.sandbox


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _run(world: World, step: str, **environ: str) -> Done:
    """Deploy, or only build, a commit whose images nobody has built."""
    world.git("add", "-A")
    world.git("commit", "-m", "first")
    world.environ |= {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environ}
    return world.run(step)


def _nothing_happened(world: World, done: Done) -> None:
    assert done.changing == []
    assert world.sim.s3.buckets["shop-state"] == {}
    assert done.document["services"] == {}
    assert world.running("api") == "dev-api:1"


@pytest.mark.parametrize("step", ["deploy", "build"])
def test_without_a_docker_engine_a_deploy_says_where_it_looked_and_what_to_type(world: World, step: str) -> None:
    address = f"tcp://127.0.0.1:{_closed_port()}"
    done = _run(world, step, DOCKER_HOST=address)
    assert (done.code, done.document["outcome"]) == (3, "failed")
    error = done.document["error"]
    assert address in error["message"]
    assert "DOCKER_HOST" in error["hint"]
    assert "sudo systemctl start docker" in error["hint"]
    assert error["message"] in done.people
    assert "Traceback" not in done.people
    _nothing_happened(world, done)


def test_without_the_registry_a_deploy_names_it_and_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with shop(tmp_path / "shop", monkeypatch) as world:
        registry = f"127.0.0.1:{_closed_port()}"
        try:
            done = _run(world, "deploy", DEPLOYKIT_REGISTRY=registry)
        finally:
            built = [f"{registry}/shop/{key}:{world.git('rev-parse', 'HEAD')}" for key in world.services]
            subprocess.run(("docker", "image", "rm", *built), capture_output=True, check=False)
        assert (done.code, done.document["outcome"]) == (3, "failed"), done.people
        error = done.document["error"]
        assert f"the registry {registry} is not reachable" in error["message"]
        assert registry in error["hint"]
        assert "Traceback" not in done.people
        _nothing_happened(world, done)
