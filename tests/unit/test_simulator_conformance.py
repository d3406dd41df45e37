"""The simulator is what AWS's documentation says, by the script that the sandbox runs too."""

from __future__ import annotations

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
