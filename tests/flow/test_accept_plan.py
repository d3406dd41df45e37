"""`plan` as the person reads it who wonders whether to deploy."""

from __future__ import annotations

import io

from deploykit.__main__ import main
from tests.flow.world import World


def test_a_plan_that_deploy_would_refuse_does_not_end_by_recommending_it(world: World) -> None:
    for message in ("first", "second"):
        world.commit(message)
        assert world.run("deploy").code == 0
    assert world.run("rollback").code == 0
    said = io.StringIO()
    code = main(["plan"], clock=world.sim.clock.wall(), environ=world.environ, stdout=said, stderr=io.StringIO())
    assert code == 0
    assert "deploy would refuse" in said.getvalue().splitlines()[-1]
    assert "does this" not in said.getvalue()


def test_a_plan_for_a_mistyped_service_does_not_call_the_environment_unchanged(world: World) -> None:
    world.commit("first")
    mistyped = world.run("plan", "nope")
    assert (mistyped.code, mistyped.document["outcome"]) == (2, None)
