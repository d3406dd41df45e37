"""Tasks that crash once ECS has called the rollout complete, while it is looked at: called as in any other rollout."""

from __future__ import annotations

from tests.flow.world import World, crashing


def test_a_release_that_completed_while_nobody_looked_and_crashes_since_is_called_at_once(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    sha = world.commit("second")
    world.interrupted(20, "deploy")
    world.sim.clock.advance(200)
    image = world.sim.ecr.repositories["shop/api"].find({"imageTag": sha})
    assert image is not None
    world.sim.image(image.digest, crashing(3))
    service = world.sim.state.services["dev", "dev-api"]
    assert service.primary.rollout_state == "COMPLETED"
    for task in world.sim.state.tasks_of(service):
        if task.desired_status == "RUNNING":
            world.sim.ecs.tasks.exit_now(task, 3)
    done = world.command("deploy")
    assert done.code == 10
    assert "api: the program exits (container api: exit 3); restored" in done.people
    assert next(step for step in done.document["steps"] if step["name"] == "rollout")["seconds"] < 60
    assert world.running("api") == "dev-api:2"
