"""The sandbox comes up, leaves nothing behind, and survives being killed at any moment."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.config.schema import Configuration
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.sandbox import engine, environment, lifecycle, places, platform, process
from deploykit.sandbox.settings import INSTANCE_LABEL
from tests.flow.sandbox_kit import configuration, docker

pytestmark = pytest.mark.sandbox

SMALL = """
[project]
name = "small"
region = "us-east-1"

[environments.dev]
account = "123456789012"
cluster = "small"

[services.web]
context = "web"
repository = "small/web"
service = "web"

[local.services.web]
port = 8000
"""
WITH_DATABASE = SMALL + '\n[local.database]\nname = "small"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def small(folder: Path) -> Iterator[Configuration]:
    settings = configuration(folder, SMALL)
    yield settings
    lifecycle.down(settings)


def _left(settings: Configuration) -> list[str]:
    """Everything there still is of a sandbox."""
    instance = platform.instance(settings)
    found = [f"container {c}" for c in engine.containers(instance)]
    found += [f"process {p}" for p in process.running(instance)]
    found += [f"file {p}" for p in places.state().rglob("*")]
    volumes = docker("volume", "ls", "--quiet", "--filter", f"label={INSTANCE_LABEL}={instance}").split()
    return found + [f"volume {v}" for v in volumes]


def test_up_makes_a_site_that_answers_and_down_leaves_nothing(folder: Path) -> None:
    settings = configuration(folder, WITH_DATABASE)
    said: list[str] = []
    before = set(docker("volume", "ls", "--quiet").split())
    running = lifecycle.up(settings, said.append)
    assert running.url == f"http://{running.connect_to}"
    status, _, body = _get(running.connect_to)
    assert (status, body.partition(":")[0]) == (200, "placeholder")
    assert _get(running.load_balancer)[0] == 200
    assert said[-1] == "waiting for web"
    again = lifecycle.up(settings)
    assert again.already
    assert again.connect_to == running.connect_to
    assert lifecycle.status(settings)["services"] == {
        "web": {"service": "web", "desired": 1, "running": 1, "rollout": "completed"}
    }
    assert lifecycle.down(settings)
    assert _left(settings) == []
    assert set(docker("volume", "ls", "--quiet").split()) <= before
    assert not lifecycle.down(settings)
    assert lifecycle.status(settings) == {
        "running": False, "endpoint_url": None, "url": None, "connect_to": None, "load_balancer": None,
        "registry": None, "services": {},
    }  # fmt: skip


def test_the_environment_it_prints_points_a_shell_at_it(small: Configuration) -> None:
    with pytest.raises(FailedBefore, match="not up"):
        lifecycle.env(small)
    running = lifecycle.up(small)
    script = f'eval "$(cat)"; {shlex.quote(sys.executable)} -c "import os; print(dict(os.environ))"'
    other = {"PATH": os.environ["PATH"], "AWS_PROFILE": "somebody", "AWS_SESSION_TOKEN": "x"}
    shown = subprocess.run(["sh", "-c", script], input=lifecycle.env(small), capture_output=True, text=True, check=True,
                           env=other)  # fmt: skip
    assert "AWS_PROFILE" not in shown.stdout
    assert "AWS_SESSION_TOKEN" not in shown.stdout
    for name, value in lifecycle.variables(running).items():
        assert f"'{name}': '{value}'" in shown.stdout
    assert lifecycle.variables(running)["AWS_ACCESS_KEY_ID"] == "123456789012"


def test_after_a_kill_of_the_server_down_leaves_nothing_and_up_works(small: Configuration) -> None:
    first = lifecycle.up(small)
    os.kill(process.running(first.instance)[0], signal.SIGKILL)
    time.sleep(0.2)
    assert not lifecycle.status(small)["running"]
    assert len(engine.containers(first.instance)) == 1
    second = lifecycle.up(small)
    assert second.endpoint_url == first.endpoint_url
    assert len(engine.containers(first.instance)) == 1
    os.kill(process.running(first.instance)[0], signal.SIGKILL)
    assert lifecycle.down(small)
    assert _left(small) == []


@pytest.mark.parametrize("after", [0.3, 0.9, 1.5, 2.1, 2.8])
def test_after_a_kill_of_up_at_any_moment_down_leaves_nothing(folder: Path, after: float) -> None:
    settings = configuration(folder, WITH_DATABASE)
    program = (
        "import sys, pathlib; from deploykit.config.load import load; from deploykit.sandbox import lifecycle; "
        "lifecycle.up(load(pathlib.Path(sys.argv[1]), None, {}))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(settings.path)], stderr=subprocess.DEVNULL) as killed:
        time.sleep(after)
        killed.kill()
    lifecycle.down(settings)
    time.sleep(0.5)
    assert _left(settings) == []


def test_two_sandboxes_live_side_by_side(folder: Path) -> None:
    configurations = []
    for name in ("one", "two"):
        (folder / name).mkdir()
        configurations.append(configuration(folder / name, SMALL))
    try:
        one, two = (lifecycle.up(c) for c in configurations)
        assert one.endpoint_url != two.endpoint_url
        assert one.instance != two.instance
        assert lifecycle.down(configurations[0])
        assert _get(two.connect_to)[0] == 200
        assert lifecycle.status(configurations[1])["running"]
    finally:
        for settings in configurations:
            lifecycle.down(settings)


def test_reset_makes_it_as_new_at_the_same_addresses(small: Configuration) -> None:
    before = lifecycle.up(small)
    container = engine.containers(before.instance)
    after = lifecycle.reset(small)
    assert (after.endpoint_url, after.connect_to) == (before.endpoint_url, before.connect_to)
    assert engine.containers(before.instance) != container


def test_a_provisioning_that_fails_leaves_nothing(folder: Path) -> None:
    settings = configuration(folder, SMALL)
    broken = settings.model_copy(update={"state": "s3://x"})  # a bucket name S3 refuses
    with pytest.raises(Exception, match="bucket"):
        lifecycle.up(broken)
    assert engine.containers(platform.instance(settings)) == []
    assert process.running(platform.instance(settings)) == []
    lifecycle.down(settings)
    assert _left(settings) == []


def test_without_a_network_a_missing_environment_is_said_and_an_installed_one_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = environment.python(lambda _: None)
    for name, value in (("PIP_INDEX_URL", "http://127.0.0.1:9/"), ("PIP_RETRIES", "0"), ("PIP_NO_CACHE_DIR", "1")):
        monkeypatch.setenv(name, value)
    assert environment.python(lambda _: None) == installed
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(OutOfReach, match="package index cannot be reached"):
        environment.python(lambda _: None)
    assert [p.name for p in places.cache().iterdir()] == ["lock"]


def test_without_docker_it_is_said(small: Configuration, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        with pytest.raises(OutOfReach, match="cannot reach the Docker Engine"):
            lifecycle.up(small)


def _get(address: str) -> tuple[int, str, str]:
    import http.client

    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.reason, text
