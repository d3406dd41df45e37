"""What an undo puts back: every service that AWS lets it, and the caches that may have been filled meanwhile."""

from __future__ import annotations

from deploykit.report.summary import spoken
from tests.flow.test_scenarios_blocked import protect
from tests.flow.world import World, crashing, healthy, sick


def test_a_service_that_cannot_be_put_back_does_not_keep_the_others_on_the_bad_release(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", web=sick())
    world.sim.faults.fail("UpdateService", "ClientException", "The service is busy", 400, 1, skip=2)
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (11, "failed")
    assert (world.running("api"), world.running("web")) == ("dev-api:2", "dev-web:3")
    found = [finding for finding in done.document["findings"] if finding["id"] == "not-put-back"]
    assert [(finding["subject"], "The service is busy" in finding["summary"]) for finding in found] == [("web", True)]
    last = done.people.splitlines()[-2:]
    assert "not every service could be restored (api runs dev-api:2 again, web runs dev-web:3)" in " ".join(last)
    services = done.document["services"]
    assert [services[key]["task_definition"].rsplit("/")[-1] for key in services] == ["dev-api:2", "dev-web:3"]


def test_a_service_that_is_gone_does_not_keep_the_others_on_the_bad_release(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", web=sick())

    def delete() -> None:
        del world.sim.state.services["dev", "dev-web"]

    world.sim.clock.after(95, delete)
    done = world.run("deploy")
    assert (done.code, done.document["outcome"]) == (11, "failed")
    assert world.running("api") == "dev-api:2"
    [found] = [finding for finding in done.document["findings"] if finding["id"] == "not-put-back"]
    assert found["summary"].startswith("service web could not be restored: ")


def test_the_time_that_a_run_took_counts_the_caches_of_its_undo_once(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", web=sick())
    done = world.run("deploy")
    assert done.code == 10
    steps = {step["name"]: step["seconds"] for step in done.document["steps"]}
    assert steps["undo"] > steps["invalidate"] > 60
    assert f"({spoken(done.document['seconds'])})" in done.people.splitlines()[-1]


def test_tasks_that_answered_before_they_crashed_may_have_filled_a_cache(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    protect(world, "web", minutes=60)  # the rollout cannot end before the new tasks do
    world.commit("second", web=healthy(exits=(14.0, 1)))
    done = world.run("deploy")
    assert (done.code, done.document["findings"][0]["id"]) == (10, "program-crash")
    assert done.count("CreateInvalidation") == 1


def test_tasks_that_crash_before_they_can_answer_filled_no_cache(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0
    world.commit("second", web=crashing())
    done = world.run("deploy")
    assert (done.code, done.document["findings"][0]["id"]) == (10, "program-crash")
    assert done.count("CreateInvalidation") == 0
