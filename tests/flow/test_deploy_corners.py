"""The corners of a rollout and of its undo, by whole commands."""

from __future__ import annotations

import pytest

from deploykit.model.observed import TAG_VERDICT
from tests.flow.ends import BEGUN, BOTH, NOTHING, PUT_BACK, assert_end
from tests.flow.world import World, crashing, healthy, sick

SICK = "the release is unhealthy: api fails: status is 500, not 200 (6 of 6 samples); restored"
UNDONE = {**BOTH, "UpdateService": 4, "CreateInvalidation": 2}  # both services there and back, the cache emptied twice


def definition(world: World, name: str) -> dict[str, object]:
    answer = world.sim.ecs.describe_task_definition({"taskDefinition": name, "include": ["TAGS"]})
    return {**answer["taskDefinition"], "tags": {tag["key"]: tag["value"] for tag in answer["tags"]}}


def test_a_field_that_boto3_does_not_know_yet_survives_a_release(world: World) -> None:
    live = definition(world, "dev-api:1")
    body = {key: live[key] for key in ("family", "containerDefinitions", "cpu", "memory", "networkMode")}
    container = {**body["containerDefinitions"][0], "quantumPolicy": {"enabled": True}}  # type: ignore[index]
    body |= {"containerDefinitions": [container], "novelty": [{"level": 3}]}
    world.sim.ecs.register_task_definition({**body, "tags": [{"key": "team", "value": "shop"}]})
    world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:2"})
    world.sim.clock.advance(300)
    world.commit("first")
    done = world.run("deploy")
    assert_end(done, 0, "deployed", "released and healthy", (150, 180), BOTH, 45, "healthy")
    new = definition(world, "dev-api:3")
    assert new["novelty"] == [{"level": 3}]
    assert new["containerDefinitions"][0]["quantumPolicy"] == {"enabled": True}  # type: ignore[index]
    assert new["tags"]["team"] == "shop"  # type: ignore[index]


def test_where_ecs_does_not_stop_the_rollout_the_revision_is_set_instead(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=crashing())
    world.sim.faults.deny("StopServiceDeployment")
    done = world.run("deploy")
    says = ("ECS does not stop the rollout (not allowed: ecs:StopServiceDeployment", "restored")
    assert_end(done, 10, "rolled_back", says, (70, 120), {**PUT_BACK, "UpdateService": 2}, 42, "unhealthy")
    assert world.running("api") == "dev-api:2"


def test_the_undo_goes_to_what_ran_when_the_release_began_not_to_ecs_previous_revision(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=crashing())
    assert world.run("deploy", "--no-rollback").code == 11  # the crash loop stays in flight
    world.commit("third", api=crashing(7))
    done = world.run("deploy")
    # what ran when the third began is the second's revision: that is restored, healthy or not
    says = "`deploykit rollback --to SHA` goes to a release you name"
    assert_end(done, 11, "failed", says, (60, 120), {**PUT_BACK, "UpdateService": 2}, 50, "unhealthy")
    assert world.running("api") == "dev-api:3"


def test_spot_interruptions_during_a_rollout_are_no_crash_loop(world: World) -> None:
    world.commit("first", healthy(start=5.0, healthy_after=25.0))

    def interrupt() -> None:
        service = world.sim.state.services["dev", "dev-api"]
        for task in list(world.sim.state.tasks.values()):
            if task.service is service and task.last_status == "RUNNING" and task.definition.revision == 2:
                world.sim.ecs.interrupt(task.arn, "SpotInterruption", "Your Spot Task was interrupted.")

    for moment in (30, 60):
        world.sim.clock.after(moment, interrupt)
    done = world.run("rollout", "api")
    assert_end(done, 0, "deployed", "rolled out", (90, 140), {**BEGUN, "StopServiceDeployment": 0}, 30)
    assert world.running("api") == "dev-api:2"


def test_a_release_that_never_gets_steady_ends_at_the_deadline_and_is_put_back(world: World) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text + '\n[rollout]\ndeadline = "2m"\n')
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=healthy(start=10_000.0))
    done = world.run("deploy")
    says = "api overdue: not done after 120 s: 0 of 2 running, 2 pending, 2 of other revisions; restored"
    assert_end(done, 10, "rolled_back", says, (120, 180), PUT_BACK, 36, "unhealthy")
    assert world.running("api") == "dev-api:2"


def test_a_verdict_is_on_the_revisions_of_every_release(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=sick())
    done = world.run("deploy")
    assert_end(done, 10, "rolled_back", SICK, (260, 340), UNDONE, 52, "unhealthy")
    assert definition(world, "dev-api:2")["tags"][TAG_VERDICT] == "healthy"  # type: ignore[index]
    assert definition(world, "dev-api:3")["tags"][TAG_VERDICT] == "unhealthy"  # type: ignore[index]


def test_a_stale_cache_of_the_release_and_of_its_undo_are_emptied_apart(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second", api=sick())
    done = world.run("deploy")
    assert_end(done, 10, "rolled_back", SICK, (260, 340), UNDONE, 52, "unhealthy")
    references = [item.reference for item in reversed(world.sim.cloudfront.distributions["E1SHOP"].invalidations)]
    assert len(set(references)) == 3
    assert [reference.rsplit("/", 2)[1] for reference in references] == ["release", "release", "undo"]


@pytest.mark.parametrize("paths", ['["index.html"]', '["/a*b"]'])
def test_paths_that_cloudfront_refuses_are_found_before_anything_is_sent(world: World, paths: str) -> None:
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace('after = ["web"]', f'after = ["web"]\npaths = {paths}'))
    world.commit("first")
    done = world.run("deploy")
    assert_end(done, 5, "failed", (paths.strip('[]"'), "fix `paths` in deploykit.toml"), (0, 2), NOTHING, 20)
    assert done.changing == []


def test_services_side_by_side_are_polled_with_one_call(world: World) -> None:
    world.commit("first", healthy(start=20.0))
    text = (world.folder / "deploykit.toml").read_text()
    (world.folder / "deploykit.toml").write_text(text.replace('depends_on = ["api"]\n', ""))
    world.git("commit", "-qam", "no order")
    for served in world.services.values():
        digest = world.sim.push(served.repository, world.git("rev-parse", "HEAD"))
        world.sim.image(digest, healthy(start=20.0))
    done = world.run("rollout")
    calls = {**BOTH, "CreateInvalidation": 0}
    assert_end(done, 0, "deployed", "rolled out", (40, 70), calls, 35)
    polls = [call for call in world.sim.calls if call.operation == "DescribeServices"]
    assert {tuple(sorted(call.params["services"])) for call in polls[:10]} == {("dev-api", "dev-web")}


def test_a_deploy_of_one_service_leaves_the_other_alone(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    world.commit("second")
    done = world.run("deploy", "api")
    assert_end(done, 0, "deployed", "released and healthy", (50, 90), {**BEGUN, "CreateInvalidation": 0}, 30, "healthy")
    assert (world.running("api"), world.running("web")) == ("dev-api:3", "dev-web:2")
    assert done.document["services"]["web"]["changed"] is False


def test_the_invalidate_step_alone_leaves_an_entry_without_a_verdict(world: World) -> None:
    world.commit("first")
    world.run("deploy")
    done = world.run("invalidate")
    assert_end(done, 0, "deployed", "invalidated E1SHOP", (30, 90), {**NOTHING, "CreateInvalidation": 1}, 18)
    newest = world.run("history").document["releases"][0]
    assert (newest["kind"], newest["verdict"], newest["outcome"]) == ("step", None, "deployed")


def test_a_refused_invalidate_step_is_3_since_nothing_that_runs_was_touched(world: World) -> None:
    world.commit("first")
    world.sim.faults.deny("CreateInvalidation", service="cloudfront")
    done = world.run("invalidate")
    says = "allow the IAM action cloudfront:CreateInvalidation"
    assert_end(done, 3, "failed", says, (0, 2), {**NOTHING, "CreateInvalidation": 1}, 18)
