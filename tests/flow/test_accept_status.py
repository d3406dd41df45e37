"""`status` between and after runs."""

from __future__ import annotations

import io

from deploykit.__main__ import main
from tests.flow.test_accept_streams import EndsAfter
from tests.flow.world import World


def test_a_release_that_was_interrupted_is_unfinished_and_no_drift(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    second = world.commit("second")
    code = main(
        ["deploy"], clock=EndsAfter(world, 6), environ=world.environ, stdout=io.StringIO(), stderr=io.StringIO()
    )
    assert code == 130
    found = world.run("status").document
    assert (found["release"]["sha"], found["release"]["verdict"]) == (second, None)
    assert "dev-api:3" in found["services"]["api"]["task_definition"]
    assert found["drift"] == []
