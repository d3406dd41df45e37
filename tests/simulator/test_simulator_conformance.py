"""The simulator is what AWS's documentation says, by the script that the sandbox runs too."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.simulator import Behaviour, Simulator, clients
from tests.simulator.conformance import EXPECTED, World, run


def test_the_simulator_answers_the_conformance_script_as_aws_documents_it() -> None:
    with Simulator() as sim:
        ecs, ecr, s3, cloudfront = clients(sim, "ecs", "ecr", "s3", "cloudfront")
        ecs.create_cluster(clusterName="main")
        s3.create_bucket(Bucket="state")
        sim.cloudfront.add("E123")
        host = sim.ecr.host
        good, better, crashing = (f"{host}/web@{sim.push('web', tag)}" for tag in ("good", "better", "crashing"))
        sim.image(crashing, Behaviour(exits=(2.0, 3)))

        def pass_time(seconds: float) -> None:
            sim.clock.advance(seconds)

        world = World(
            cluster="main",
            repository="web",
            tag="good",
            bucket="state",
            distribution="E123",
            pass_time=pass_time,
            good=good,
            better=better,
            crashing=crashing,
        )
        assert run(ecs, ecr, s3, cloudfront, world) == EXPECTED


def test_the_simulator_knows_nothing_of_deploykit() -> None:
    files = sorted((Path(__file__).parents[1] / "simulator").glob("*.py"))
    imported = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
    assert len(files) > 15
    assert "tests" in imported
    assert "deploykit" not in imported
