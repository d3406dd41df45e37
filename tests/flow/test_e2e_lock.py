"""Two runs at once in the sandbox: a rollback that is in a hurry takes over from a deployment."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import boto3
import pytest

from deploykit.model.lock import BEAT
from deploykit.model.release import short
from tests.flow.e2e import APP, CHANGING, Ended, Project, project
from tests.unit import git_kit

pytestmark = pytest.mark.sandbox
HOST = "ferry.example.org"
SERVICES = ("cabin", "engine")
PROMISED = 60.0  # seconds from the start of a rollback until the site serves the verified release

CONFIGURATION = """
[project]
name = "ferry"
region = "eu-north-1"

[environments.live]
account = "666677778888"
cluster = "ferry"
url = "https://ferry.example.org"
state = "s3://ferry-deploykit/{env}"

[services.cabin]
context = "cabin"
repository = "ferry/cabin"
service = "cabin"
release_env = "RELEASE"
build_args = { BASE = "{base}" }

[services.engine]
context = "engine"
repository = "ferry/engine"
service = "engine"
release_env = "RELEASE"
build_args = { BASE = "{base}" }
depends_on = ["cabin"]

[checks]
interval = "250ms"
samples = 9

[[checks.endpoints]]
id = "cabin"
path = "/cabin/status"
service = "cabin"
expect = { json = { state = "fine" } }
version = { json = "release" }

[[checks.endpoints]]
id = "engine"
path = "/engine/status"
service = "engine"
expect = { json = { state = "fine" } }
version = { json = "release" }

[local.services.cabin]
port = 9500
routes = ["/cabin/*"]
health_check = "/cabin/alive"

[local.services.engine]
port = 9600
routes = ["/engine/*"]
health_check = "/engine/alive"
"""
_Got = TypeVar("_Got")


@pytest.fixture(scope="module")
def ferry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A platform that nothing was released to. Its engine may start slowly: ECS waits a minute before it gives up."""
    with project(tmp_path_factory.mktemp("ferry"), CONFIGURATION, SERVICES) as made:
        ecs = boto3.client(
            "ecs",
            region_name="eu-north-1",
            endpoint_url=made.addresses["endpoint_url"],
            aws_access_key_id=made.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=made.environ["AWS_SECRET_ACCESS_KEY"],
        )
        ecs.update_service(cluster="ferry", service="engine", healthCheckGracePeriodSeconds=1200)  # paced: 60 s
        yield made


def _commit(ferry: Project, subject: str, slow: float = 0) -> str:
    """A commit that changes both services; the engine answers ``slow`` seconds after its start. Its SHA."""
    late = f"import os, signal, time; signal.signal(15, lambda *_: os._exit(0)); time.sleep({slow})\n"
    turn = json.dumps({"turn": "well", "subject": subject})
    files = {f"{name}/turn.json": turn for name in SERVICES}
    return git_kit.commit(ferry.folder, {**files, "engine/app.py": late + (APP / "app.py").read_text()}, subject)


def _served(ferry: Project) -> set[str]:
    """The commits that users get, of several requests to each service."""
    asked = [ferry.ask(f"/{name}/status", host=HOST) for name in SERVICES for _ in range(4)]
    return {str(answer.json()["release"]) if answer.status == 200 else str(answer.status) for answer in asked}


def _until(true: Callable[[], bool], seconds: float) -> float:
    """Seconds until it is true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds
        time.sleep(0.1)
    return time.monotonic() - began


def _timed(act: Callable[[], _Got]) -> tuple[_Got, float]:
    began = time.monotonic()
    done = act()
    return done, time.monotonic() - began


def _deployed(done: Ended, sha: str) -> None:
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    assert (done.document["release"]["sha"], done.document["release"]["verdict"]) == (sha, "healthy")


def _lease(ferry: Project) -> Any:
    return ferry.run("lock", "show").document["lease"]


@pytest.fixture
def verified(ferry: Project) -> str:
    """The commit that runs, is verified and is HEAD."""
    done = ferry.run("deploy")
    assert (done.code, done.document["release"]["verdict"]) == (0, "healthy"), done.people
    ferry.forget_calls()
    return str(done.document["release"]["sha"])


def test_a_rollback_takes_over_from_a_deploy_that_is_under_way(ferry: Project, verified: str) -> None:
    sha = _commit(ferry, "Wrong, and slow to start", slow=45)
    with ferry.start("deploy") as running, ThreadPoolExecutor() as threads:
        running.hears("rolling out engine:")
        assert _served(ferry) == {sha, verified}
        ferry.forget_calls()
        left = threads.submit(_timed, running.end)  # by itself: it gets no signal
        rollback = threads.submit(_timed, lambda: ferry.run("rollback", "--take-over", "--yes", "--reason", "wrong"))
        back = _until(lambda: _served(ferry) == {verified}, PROMISED)
        while not rollback.done():
            assert _served(ferry) == {verified}
            time.sleep(0.2)
        (done, took), (ended, lasted) = rollback.result(), left.result()
    print(f"verified again after {back:.1f} s; the rollback took {took:.1f} s, the deploy ended after {lasted:.1f} s")
    assert (done.code, done.document["outcome"]) == (0, "rolled_back"), done.people
    assert done.document["release"]["sha"] == verified
    assert _served(ferry) == {verified}

    assert (ended.code, ended.document["outcome"]) == (130, "interrupted"), ended.people
    assert lasted < 2 * BEAT
    assert "Traceback" not in ended.people
    latest, interrupted = ferry.run("history").document["releases"][:2]
    of_rollback = done.document["api_calls"]["by_operation"]
    expected = {name: times for name, times in of_rollback.items() if _changes_ecs(name)}
    changes = [name for name in ferry.calls() if _changes_ecs(name)]
    assert {name: changes.count(name) for name in changes} == expected  # so none is the deploy's

    assert (latest["kind"], latest["outcome"]) == ("rollback", "rolled_back")
    assert f"(deploy {short(sha)})" in latest["taken_from"]
    assert (interrupted["sha"], interrupted["outcome"]) == (sha, "interrupted")
    assert _lease(ferry) is None

    last = " ".join(ended.people.splitlines()[-2:])
    assert "cabin runs cabin:" in last
    assert re.search("engine (is|was taken over) on its way to engine:", last)
    assert f"{latest['by']} on " in last
    assert "(rollback" in last


def _changes_ecs(call: str) -> bool:
    service, _, operation = call.partition(":")
    return service == "ecs" and operation.startswith(CHANGING)
