"""The sandbox is what AWS's documentation says, by the script that the simulator runs too.

Both must match the one list ``EXPECTED`` (the simulator in tests/simulator/test_simulator_conformance.py), so what a
test sees on the one, it sees on the other.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from typing import Any

import pytest

from tests.flow.sandbox_kit import DISTRIBUTION, Sandbox, docker, sandbox
from tests.simulator.conformance import EXPECTED, World, run

__all__ = ["sandbox"]
pytestmark = pytest.mark.sandbox
REPOSITORY = "shop/worker"


def _crashing(sandbox: Sandbox, good: str) -> str:
    """An image made of ``good`` that exits with code 3 at once, by its command: the script sets none."""
    name = f"{sandbox.running.registry}/{REPOSITORY}:conformance-crash-{uuid.uuid4().hex[:8]}"
    dockerfile = f'FROM {good}\nCMD ["python3", "-S", "-E", "-c", "raise SystemExit(3)"]\n'
    docker("build", "--quiet", "--tag", name, "-", text=dockerfile)
    with tempfile.TemporaryDirectory() as home:
        login = ("login", "--username", "AWS", "--password-stdin", sandbox.running.registry)
        docker(*login, home=home, text=sandbox.password())
        docker("push", name, home=home)
    return name


def _world(sandbox: Sandbox) -> World:
    worker = sandbox.service("test-worker")
    definition = sandbox.ecs.describe_task_definition(taskDefinition=worker["taskDefinition"])["taskDefinition"]
    taken: dict[str, Any] = {
        name: definition[name] for name in ("networkMode", "requiresCompatibilities", "executionRoleArn")
    }
    good = sandbox.pushed(REPOSITORY, "conformance-good")
    return World(
        cluster="shop-test",
        good=good,
        better=sandbox.pushed(REPOSITORY, "conformance-better", "better"),
        crashing=_crashing(sandbox, good),
        repository=REPOSITORY,
        tag="conformance-good",
        bucket="shop-test-state",
        distribution=DISTRIBUTION,
        pass_time=time.sleep,
        definition=taken,
        service={"launchType": "FARGATE", "networkConfiguration": worker["networkConfiguration"]},
        step=0.1,
        patience=60,
    )


def test_the_sandbox_answers_the_conformance_script_as_aws_documents_it(sandbox: Sandbox) -> None:
    ecs, ecr, s3, cloudfront = (sandbox.client(name) for name in ("ecs", "ecr", "s3", "cloudfront"))
    assert run(ecs, ecr, s3, cloudfront, _world(sandbox)) == EXPECTED
