"""One deployment or rollback at a time: who is refused, who waits, who takes over, and what a lost lock ends."""

from __future__ import annotations

import io
import json
import sys
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from deploykit.__main__ import main
from tests.flow.world import Done, Json, World, healthy, renews
from tests.simulator.protocol import Request

LEASE = "dev/lease.json"


def bucket(world: World) -> Any:
    return world.sim.s3.buckets["shop-state"]


def lease(world: World, **fields: Any) -> Json:
    """The lease of a run on another machine, written just now."""
    known: Json = {
        "schema": 1, "id": "theirs", "holder": "bob", "host": "ci-7", "command": "deploy", "sha": "1a2b3c4" + "0" * 33,
        "since": "2026-11-21T05:59:00Z", "environment": "dev", "run_url": "https://github.com/shop/shop/actions/runs/7",
    }  # fmt: skip
    put_lease(world, known | fields)
    return known | fields


def put_lease(world: World, fields: Json) -> None:
    request = Request("PUT", f"/shop-state/{LEASE}", {}, {}, json.dumps(fields).encode())
    assert world.sim.s3.call("PutObject", request).status == 200


def beating(world: World, seconds: float, **fields: Any) -> None:
    """The same of a run that is alive for so long, and then gives it back."""
    count = int(seconds // 15)
    lease(world, **fields)
    for beat in range(1, count + 1):
        world.sim.clock.after(beat * 15.0, partial(lease, world, beat=beat, **fields))
    world.sim.clock.after(seconds, lambda: bucket(world).pop(LEASE, None))


def unreachable(world: World) -> None:
    """From now on nothing is written to the state store."""
    world.sim.faults.deny("PutObject", service="s3")


def entries(world: World) -> list[Json]:
    return [json.loads(bucket(world)[key].body) for key in sorted(bucket(world)) if "/releases/" in key]


def refusals(world: World) -> list[Json]:
    return [json.loads(bucket(world)[key].body) for key in sorted(bucket(world)) if "/refusals/" in key]


# -- refused, or waited for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["deploy", "rollout", "invalidate", "rollback"])
def test_a_living_holder_is_named_and_nobody_else_changes_anything(world: World, verb: str) -> None:
    world.released("first", "second")
    world.commit("third")
    lease(world)
    began = world.sim.clock.now
    done = world.command(verb)
    assert (done.code, done.changing) == (4, []), done.people
    assert world.sim.clock.now - began < 1
    said = done.document["error"]["message"]
    for words in ("bob on ci-7 (deploy 1a2b3c4)", "since 2026-11-21T05:59:00Z", "https://github.com/shop/shop/actions"):
        assert words in said, said
    hint = done.document["error"]["hint"]
    assert "`--wait 10m`" in hint
    assert "`deploykit lock show`" in hint
    assert ("--take-over" in hint) == (verb == "rollback")
    assert json.loads(bucket(world)[LEASE].body)["id"] == "theirs"


def test_a_holder_that_gives_it_back_is_waited_for_and_the_wait_stands_apart(world: World) -> None:
    world.released("first")
    second = world.commit("second")
    beating(world, 100.0)
    done = world.command("deploy", "--wait", "10m")
    assert (done.code, done.document["release"]["sha"]) == (0, second), done.people
    assert "waiting for the deploy lock: held by bob on ci-7 (deploy 1a2b3c4)" in done.people
    newest = world.command("history").document["releases"][0]
    assert 99 <= newest["lock_seconds"] <= 106
    assert newest["seconds"] < 170  # without the wait
    assert 120 < newest["aws_seconds"] < newest["seconds"]
    assert newest["own_seconds"] == pytest.approx(newest["seconds"] - newest["aws_seconds"], abs=0.01)
    assert LEASE not in bucket(world)


def test_a_wait_that_is_over_ends_with_the_holder(world: World) -> None:
    world.commit("first")
    beating(world, 900.0)
    done = world.command("deploy", "--wait", "2m")
    assert done.code == 4
    assert 118 <= done.seconds <= 130
    assert "bob on ci-7" in done.document["error"]["message"]


def test_a_holder_that_is_silent_is_waited_out_without_being_asked_to(world: World) -> None:
    world.commit("first")
    lease(world)
    world.sim.clock.advance(40)
    done = world.command("deploy")
    assert done.code == 0, done.people
    assert "the run of bob on ci-7 (deploy 1a2b3c4)" in done.people
    assert "was cut off, and last heard of" in done.people
    assert 20 <= entries(world)[0]["lock_seconds"] <= 26


def test_a_holder_that_comes_back_while_it_is_waited_out_keeps_the_lock(world: World) -> None:
    world.commit("first")
    lease(world)
    world.sim.clock.advance(40)
    world.sim.clock.after(10, lambda: lease(world, beat=9))
    done = world.command("deploy")
    assert (done.code, done.changing) == (4, []), done.people


def test_the_machines_own_clock_does_not_matter(world: World) -> None:
    world.commit("first")
    lease(world, since="2031-01-01T00:00:00Z")
    world.sim.clock.advance(61)
    assert world.command("deploy").code == 0


def test_a_lease_that_cannot_be_read_keeps_others_out_all_the_same(world: World) -> None:
    world.commit("first")
    request = Request("PUT", f"/shop-state/{LEASE}", {}, {}, b"\xff not json")
    world.sim.s3.call("PutObject", request)
    done = world.command("deploy")
    assert (done.code, done.changing) == (4, [])
    assert "somebody" in done.document["error"]["message"]


def test_without_a_state_store_the_lack_of_a_lock_is_said_once(world: World) -> None:
    world.without_state()
    world.commit("first")
    done = world.command("deploy")
    assert done.code == 0
    assert done.people.count("nothing keeps two runs apart: set `state` under [environments.dev]") == 1


# -- held --------------------------------------------------------------------------------------------------------------


def test_the_lease_says_who_what_and_where_and_is_renewed_every_15_seconds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.released("first")
    sha = world.commit("second", healthy(start=120.0))
    world.environ |= {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_ACTOR": "ann"}
    world.environ |= {"GITHUB_REPOSITORY": "shop/shop", "GITHUB_RUN_ID": "42"}
    seen: list[Json] = []
    world.sim.clock.after(60, lambda: seen.append(json.loads(bucket(world)[LEASE].body)))
    with world.sim.recording() as calls:
        done = world.command("deploy")
    assert done.code == 0
    (held,) = seen
    assert (held["holder"], held["command"], held["sha"]) == ("ann", "deploy", sha)
    assert held["run_url"] == "https://github.com/shop/shop/actions/runs/42"
    assert held["release"] == entries(world)[-1]["id"]
    beats = [call.at for call in calls if renews(call)]
    gaps = [later - earlier for earlier, later in pairwise(beats)]
    assert max(gaps) <= 15.1
    assert LEASE not in bucket(world)


def test_builds_are_over_before_the_lease_is_taken_and_a_refusal_takes_none(world: World) -> None:
    world.released("first", "second")
    world.git("checkout", "-q", "HEAD~1")
    with world.sim.recording() as calls:
        assert world.command("deploy").code == 4
    assert not [call for call in calls if call.operation == "PutObject" and call.params["path"].endswith(LEASE)]


def test_a_run_that_is_interrupted_gives_the_lease_back(world: World) -> None:
    world.released("first")
    world.commit("second", healthy(start=60.0))
    world.interrupted(30, "deploy")
    assert LEASE not in bucket(world)


# -- lost --------------------------------------------------------------------------------------------------------------


def taken_over(world: World, after: float) -> Done:
    """A deployment whose lease another run takes ``after`` so many seconds."""
    world.sim.clock.after(after, lambda: lease(world, command="rollback", sha=None))
    return world.command("deploy")


@pytest.mark.parametrize("after", [0.5, 1.5, 20.0, 50.0, 70.0, 130.0, 150.0])
def test_a_run_whose_lease_was_taken_changes_nothing_more_and_says_what_it_leaves(world: World, after: float) -> None:
    world.released("first")
    world.commit("second", api=healthy(start=20.0))
    began = world.sim.clock.now
    with world.sim.recording() as calls:
        done = taken_over(world, after)
    assert (done.code, done.document["outcome"]) == (130, "interrupted"), done.people
    assert "bob on ci-7 (rollback) since" in done.document["error"]["message"]
    assert "took over the deploy lock" in done.document["error"]["message"]
    assert "api " in done.document["error"]["message"]
    assert "`deploykit status` shows what runs" in done.document["error"]["hint"]
    late = [
        call.operation
        for call in calls
        if call.at > began + after
        and call.operation in ("RegisterTaskDefinition", "UpdateService", "CreateInvalidation", "TagResource")
    ]
    assert late == []
    assert done.seconds < after + 16  # a heartbeat
    assert json.loads(bucket(world)[LEASE].body)["id"] == "theirs"  # and it is theirs still
    newest = entries(world)[-1]
    assert newest["outcome"] in ("interrupted", "failed")


def test_a_state_store_out_of_reach_for_less_than_a_minute_ends_nothing(world: World) -> None:
    world.released("first")
    world.commit("second", healthy(start=120.0))
    world.sim.clock.after(30, lambda: unreachable(world))
    world.sim.clock.after(70, world.sim.faults.clear)
    assert world.command("deploy").code == 0


def test_a_state_store_out_of_reach_for_longer_ends_all_changes(world: World) -> None:
    world.released("first")
    world.commit("second", api=healthy(start=120.0))
    world.sim.clock.after(30, lambda: unreachable(world))
    began = world.sim.clock.now
    with world.sim.recording() as calls:
        done = world.command("deploy")
    assert done.code == 130, done.people
    assert "the state store s3://shop-state/dev was out of reach for" in done.document["error"]["message"]
    assert not [call for call in calls if call.operation == "UpdateService" and call.at > began + 95]
    assert done.seconds < 110


# -- taken over --------------------------------------------------------------------------------------------------------


def test_a_rollback_that_takes_over_starts_from_what_it_observes(world: World) -> None:
    first, second = world.released("first", "second")
    third = world.commit("third", api=healthy(start=60.0))
    assert taken_over(world, 30.0).code == 130
    done = world.command("rollback", "--take-over", "--yes", "--reason", "orders fail")
    assert (done.code, done.document["release"]["sha"]) == (0, second), done.people
    assert "took over the deploy lock of bob on ci-7" in done.people
    newest, left, *_ = world.command("history").document["releases"]
    assert (newest["taken_from"] or "").startswith("bob on ci-7 (rollback)")
    assert (newest["allowed"], newest["reason"]) == (["--take-over"], "orders fail")
    assert (left["sha"], left["outcome"], left["withdrawn"]) == (third, "interrupted", newest["id"])
    assert first != second


class Person(io.StringIO):
    """Somebody at a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("y\n", 0)])
def test_on_a_terminal_a_take_over_is_asked_first_and_names_whom_it_stops(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    world.released("first", "second")
    lease(world)
    monkeypatch.setattr(sys, "stdin", Person(answer))
    stdout, environ = Person(), {**world.environ, "TERM": "dumb"}
    ended = main(
        ["rollback", "--take-over"], clock=world.sim.clock.wall(), environ=environ, stdout=stdout, stderr=io.StringIO()
    )
    assert ended == code
    text = " ".join(stdout.getvalue().split())
    asked = text.partition("go back? [y/N]")[0]
    assert "this takes the deploy lock from bob on ci-7 (deploy 1a2b3c4)" in asked
    assert (LEASE in bucket(world)) == (code == 130)


def test_without_the_flag_a_rollback_takes_nothing_over(world: World) -> None:
    world.released("first", "second")
    lease(world)
    assert world.command("rollback", "--yes").code == 4


def test_a_rollback_whose_state_store_is_out_of_reach_goes_without_the_lock(world: World) -> None:
    first, _ = world.released("first", "second")
    world.sim.faults.deny("PutObject", service="s3")
    done = world.command("rollback")
    assert (done.code, done.document["release"]["sha"]) == (0, first), done.people
    assert "rolling back without the deploy lock" in done.people


# -- written down ------------------------------------------------------------------------------------------------------


def test_refusals_are_logged_beside_the_releases_with_who_and_why(world: World) -> None:
    world.released("first", "second")
    world.git("checkout", "-q", "HEAD~1")
    assert world.command("deploy").code == 4
    world.git("checkout", "-q", "main")
    world.sim.clock.advance(5)
    lease(world)
    world.commit("third")
    assert world.command("deploy").code == 4
    older, held = refusals(world)
    assert "is older than the running" in older["message"]
    assert "bob on ci-7" in held["message"]
    assert {older["command"], held["command"]} == {"deploy"}
    assert older["by"]
    assert len(world.command("history").document["releases"]) == 2


def test_what_is_refused_once_the_lock_was_waited_for_is_logged_once(world: World) -> None:
    world.released("first")
    second = world.commit("second")
    world.commit("third")
    beating(world, 30.0)
    hold = {"schema": 1, "by": "eve", "reason": "stop", "since": "2026-11-21T06:00:00Z"}
    request = Request("PUT", "/shop-state/dev/hold.json", {}, {}, json.dumps(hold).encode())
    world.sim.clock.after(20, lambda: world.sim.s3.call("PutObject", request))
    done = world.command("deploy", "--sha", second, "--wait", "5m")
    assert (done.code, done.changing) == (4, []), done.people
    (told,) = refusals(world)
    assert "frozen by eve" in told["message"]
    assert (told["sha"], LEASE in bucket(world)) == (second, False)


def test_what_was_insisted_on_stands_in_the_ledger_with_its_reason(world: World) -> None:
    world.released("first", "second")
    world.git("checkout", "-q", "HEAD~1")
    done = world.command("deploy", "--allow-older", "--reason", "the new one is too slow")
    assert done.code == 0, done.people
    newest = world.command("history").document["releases"][0]
    assert (newest["allowed"], newest["reason"]) == (["--allow-older"], "the new one is too slow")
    assert newest["by"]
