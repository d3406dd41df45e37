"""What a run that was interrupted says of what it left, and what it says to type next."""

from __future__ import annotations

from _thread import interrupt_main
from typing import Any

from tests.flow.world import World, crashing
from tests.simulator.protocol import Request, Response


def released_twice(world: World) -> list[str]:
    shas = []
    for message in ("first", "second"):
        shas.append(world.commit(message))
        assert world.run("deploy").code == 0
    return shas


def test_an_interrupted_deploy_of_one_service_and_commit_is_continued_with_the_same(world: World) -> None:
    _, second = released_twice(world)
    world.commit("third")
    third = world.git("rev-parse", "HEAD")
    world.commit("fourth")
    done = world.interrupted(10, "deploy", "api", "--sha", third, "--no-rollback", "--env", "dev")
    again = f"deploykit deploy --env dev api --sha {third} --no-rollback"
    assert done.document["error"]["hint"] == f"`{again}` continues; `deploykit status --env dev` shows what runs"
    assert world.command(*again.split()[1:]).code == 0
    services = world.command("status").document["services"]
    assert {key: services[key]["sha"] for key in services} == {"api": third, "web": second}


def test_an_interrupted_rollback_of_one_service_is_continued_for_that_one(world: World) -> None:
    first, second = released_twice(world)
    done = world.interrupted(10, "rollback", "api")
    assert f"`deploykit rollback api --to {first[:12]}` continues" in done.document["error"]["hint"]
    assert world.command("rollback", "api", "--to", first[:12]).code == 0
    services = world.command("status").document["services"]
    assert {key: services[key]["sha"] for key in services} == {"api": first, "web": second}


def test_an_undo_that_was_interrupted_says_what_is_back_and_how_to_put_back_the_rest(world: World) -> None:
    _, second = released_twice(world)
    world.commit("third", web=crashing())
    done = world.interrupted(70, "deploy")
    assert "interrupted; api is on its way back to dev-api:3, web runs dev-web:3 again" in done.people
    again = f"deploykit rollback --to {second[:12]}"
    assert f"`{again}` continues restoring" in done.document["error"]["hint"]
    world.sim.clock.advance(300)
    assert world.command(*again.split()[1:]).code == 0
    assert (world.running("api"), world.running("web")) == ("dev-api:3", "dev-web:3")


def test_an_undo_that_was_interrupted_at_once_is_gone_on_with_by_the_command_it_names(world: World) -> None:
    _, second = released_twice(world)
    world.commit("third", web=crashing())
    done = world.interrupted(68, "deploy")
    assert "interrupted; api runs dev-api:4, web is on its way back to dev-web:3" in done.people
    again = f"deploykit rollback --to {second[:12]}"
    assert f"`{again}` continues restoring" in done.document["error"]["hint"]
    world.sim.clock.advance(300)
    assert world.command(*again.split()[1:]).code == 0
    assert (world.running("api"), world.running("web")) == ("dev-api:3", "dev-web:3")


def test_an_interrupted_rollback_to_uncommitted_changes_names_them_whole(world: World) -> None:
    released_twice(world)
    (world.folder / "api" / "change.txt").write_text("not committed")
    tag = str(world.foresee("plan", "--allow-dirty").document["services"]["api"]["image"]).rpartition(":")[2]
    for key in ("api", "web"):
        world.sim.push(f"shop/{key}", tag)
    assert world.command("deploy", "--allow-dirty").code == 0
    world.git("checkout", "--", ".")
    world.commit("third")
    assert world.command("deploy").code == 0
    done = world.interrupted(10, "rollback", "--to", tag)
    assert f"`deploykit rollback --to {tag}` continues" in done.document["error"]["hint"]


def test_a_rollback_that_another_rollout_took_over_says_so_and_is_continued_as_a_rollback(world: World) -> None:
    first, _ = released_twice(world)

    def take_over() -> None:
        world.sim.ecs.update_service({"cluster": "dev", "service": "dev-api", "taskDefinition": "dev-api:3"})

    world.sim.clock.after(10, take_over)
    done = world.command("rollback")
    assert (done.code, done.document["outcome"]) == (130, "interrupted")
    assert "(api was taken over on its way to dev-api:2, web untouched)" in done.document["error"]["message"]
    assert f"`deploykit rollback --to {first[:12]}` continues once it is over" in done.document["error"]["hint"]


def test_an_interruption_while_the_end_is_written_keeps_the_verdict(world: World) -> None:
    world.commit("first")
    put = world.sim.s3._put

    def interrupted_there(objects: Any, key: str, request: Request) -> Response:
        if b'"outcome": "deployed"' in request.body:
            interrupt_main()
        return put(objects, key, request)

    world.sim.s3._put = interrupted_there  # type: ignore[method-assign]  # the moment, at the wire
    done = world.command("deploy")
    world.sim.s3._put = put  # type: ignore[method-assign]
    assert done.code == 130
    assert "interrupted; api runs dev-api:2, web runs dev-web:2" in done.people
    [entry] = world.command("history").document["releases"]
    assert (entry["verdict"], entry["outcome"]) == ("healthy", "deployed")
