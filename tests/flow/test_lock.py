"""`lock show`, `lock hold` and `lock release`; what a freeze and a rollback mean for the next deploy."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime

import pytest

from deploykit.__main__ import main
from tests.flow.test_lease import LEASE, Person, bucket, entries, lease
from tests.flow.world import World, healthy
from tests.simulator.protocol import Request

HOLD = "dev/hold.json"


def told(world: World, *argv: str) -> str:
    """What a person reads of a command that ends well."""
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, clock=world.sim.clock.wall(), environ=world.environ, stdout=out, stderr=err)
    assert code == 0, err.getvalue()
    return out.getvalue() + err.getvalue()


# -- shown -------------------------------------------------------------------------------------------------------------


def test_a_free_lock_is_shown_as_free(world: World) -> None:
    done = world.command("lock", "show")
    assert (done.code, done.document["lease"], done.document["hold"]) == (0, None, None)
    assert "deploy lock  free" in told(world, "lock", "show")


def test_a_held_lock_is_shown_with_its_holder_and_what_to_type(world: World) -> None:
    theirs = lease(world)
    world.sim.clock.advance(10)
    shown = world.command("lock", "show").document["lease"]
    assert {key: shown[key] for key in ("holder", "command", "sha", "since", "run_url", "host")} == {
        key: theirs[key] for key in ("holder", "command", "sha", "since", "run_url", "host")
    }
    written = bucket(world)[LEASE].modified
    assert shown["expires"] == datetime.fromtimestamp(int(written) + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = told(world, "lock", "show")
    for words in (
        "locked by bob on ci-7: deploy 1a2b3c4 since 2026-11-21T05:59:00Z",
        "actions/runs/7",
        "`deploykit deploy --wait 10m` waits for it",
        "`deploykit rollback --take-over` takes it over",
        "`deploykit lock release` takes it away once its run is gone",
    ):
        assert words in text, text


def test_a_lock_that_has_run_out_is_nobodys_and_its_run_is_told(world: World) -> None:
    world.released("first")
    lease(world)
    world.sim.clock.advance(62)
    done = world.command("lock", "show")
    assert (done.code, done.document["lease"]) == (0, None)
    assert "the run of bob on ci-7 (deploy 1a2b3c4)" in done.document["note"]
    assert "was cut off" in done.document["note"]
    assert world.command("status").document["lease"] is None


def test_freezes_count_as_no_deployment(world: World) -> None:
    world.released("first")
    before = world.command("history", "--stats").document["stats"]
    world.command("lock", "hold", "--reason", "wait")
    world.command("lock", "release")
    after = world.command("history", "--stats").document["stats"]
    assert after["deployment_frequency"]["deployments"] == before["deployment_frequency"]["deployments"] == 1


def test_status_shows_lock_and_freeze(world: World) -> None:
    world.released("first")
    lease(world)
    assert world.command("lock", "hold", "--reason", "the sale is on").code == 0
    document = world.command("status").document
    assert (document["lease"]["holder"], document["hold"]["reason"]) == ("bob", "the sale is on")
    text = told(world, "status")
    assert "locked by bob on ci-7" in text
    assert "the sale is on" in text


@pytest.mark.parametrize("verb", [["hold", "--reason", "x"], ["release"]])
def test_without_a_state_store_there_is_no_lock_and_that_is_said(world: World, verb: list[str]) -> None:
    world.without_state()
    done = world.command("lock", *verb)
    assert done.code == 2
    assert "no `state` is configured" in done.document["error"]["message"]
    assert "[environments.dev]" in done.document["error"]["hint"]


def test_without_a_state_store_show_says_that_nothing_keeps_two_runs_apart(world: World) -> None:
    world.without_state()
    done = world.command("lock", "show")
    assert (done.code, done.document["lease"], done.document["hold"]) == (0, None, None)
    assert "nothing keeps two runs apart" in done.document["note"]
    assert "deploy lock  free" not in told(world, "lock", "show")


# -- frozen ------------------------------------------------------------------------------------------------------------


def test_a_freeze_refuses_every_deploy_with_who_and_why_until_it_is_released(world: World) -> None:
    world.released("first")
    second = world.commit("second")
    held = world.command("lock", "hold", "--reason", "the database is moving")
    assert held.code == 0, held.people
    for verb in ("deploy", "rollout"):
        done = world.command(verb)
        assert (done.code, done.changing) == (4, []), done.people
        said = done.document["error"]["message"]
        assert "frozen by" in said
        assert "the database is moving" in said
        assert "`deploykit lock release` ends the freeze" in done.document["error"]["hint"]
    plan = world.command("plan")
    assert plan.code == 0
    assert any("the database is moving" in text for text in plan.document["refusals"])
    released = world.command("lock", "release", "--reason", "it has moved")
    assert released.code == 0
    assert HOLD not in bucket(world)
    assert world.command("deploy").document["release"]["sha"] == second


def test_a_freeze_does_not_keep_a_rollback_out(world: World) -> None:
    first, _ = world.released("first", "second")
    world.command("lock", "hold", "--reason", "look at the orders")
    done = world.command("rollback")
    assert (done.code, done.document["release"]["sha"]) == (0, first)


def test_a_freeze_during_a_deployment_leaves_it_to_its_end(world: World) -> None:
    world.released("first")
    second = world.commit("second", healthy(start=60.0))

    put = {"schema": 1, "by": "eve", "reason": "stop", "since": "2026-11-21T06:00:00Z"}
    request = Request("PUT", f"/shop-state/{HOLD}", {}, {}, json.dumps(put).encode())
    world.sim.clock.after(30, lambda: world.sim.s3.call("PutObject", request))
    done = world.command("deploy")
    assert (done.code, done.document["release"]["sha"]) == (0, second)
    world.commit("third")
    assert world.command("deploy").code == 4


def test_a_second_freeze_is_refused_with_the_first(world: World) -> None:
    world.command("lock", "hold", "--reason", "one")
    done = world.command("lock", "hold", "--reason", "two")
    assert done.code == 4
    assert "already frozen by" in done.document["error"]["message"]
    assert json.loads(bucket(world)[HOLD].body)["reason"] == "one"


@pytest.mark.parametrize("reason", [[], ["--reason", "  "]])
def test_a_freeze_needs_a_reason(world: World, reason: list[str]) -> None:
    done = world.command("lock", "hold", *reason)
    assert done.code == 2
    assert "--reason" in done.document["error"]["hint"]
    assert HOLD not in bucket(world)


def test_freezes_and_their_end_stand_in_the_history_and_change_no_rollback(world: World) -> None:
    first, _ = world.released("first", "second")
    world.command("lock", "hold", "--reason", "wait")
    world.command("lock", "release")
    newest, before, *_ = world.command("history").document["releases"]
    assert (newest["kind"], newest["outcome"], before["outcome"]) == ("step", "released", "held")
    assert before["reason"] == "wait"
    assert before["by"]
    assert world.command("rollback").document["release"]["sha"] == first


def test_a_rollback_with_hold_freezes_and_one_without_says_how(world: World) -> None:
    world.released("first", "second", "third")
    plain = world.command("rollback")
    assert "`deploykit lock hold --reason TEXT` stops every deploy (as --hold does)" in plain.people
    held = world.command("rollback", "--hold", "--reason", "orders fail")
    assert held.code == 0
    assert "`deploykit lock release` lets deploys in again" in held.people
    assert json.loads(bucket(world)[HOLD].body)["reason"] == "orders fail"
    world.commit("fourth")
    done = world.command("deploy")
    assert done.code == 4
    assert "orders fail" in done.document["error"]["message"]
    assert entries(world)[-1]["allowed"] == ["--hold"]


# -- released ----------------------------------------------------------------------------------------------------------


def test_a_living_lock_is_released_only_by_force(world: World) -> None:
    lease(world)
    done = world.command("lock", "release")
    assert done.code == 4
    assert "bob on ci-7" in done.document["error"]["message"]
    assert "`deploykit lock release --force`" in done.document["error"]["hint"]
    assert LEASE in bucket(world)
    asked = world.command("lock", "release", "--force")
    assert asked.code == 2
    assert "--yes" in asked.document["error"]["hint"]
    assert LEASE in bucket(world)
    forced = world.command("lock", "release", "--force", "--yes", "--reason", "its runner hangs")
    assert forced.code == 0, forced.people
    assert LEASE not in bucket(world)
    entry = entries(world)[-1]
    assert (entry["command"], entry["outcome"]) == ("lock release", "released")
    assert "its runner hangs; the deploy lock of bob on ci-7" in entry["reason"]


@pytest.mark.parametrize("answer", ["n\n", "y\n"])
def test_on_a_terminal_force_is_asked_first(world: World, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    world.command("lock", "hold", "--reason", "wait")
    lease(world)
    monkeypatch.setattr(sys, "stdin", Person(answer))
    out, err = io.StringIO(), io.StringIO()  # stdout need not be one
    argv = ["lock", "release", "--force"]
    assert main(argv, clock=world.sim.clock.wall(), environ=world.environ, stdout=out, stderr=err) == 0
    assert "take the deploy lock from bob on ci-7 (deploy 1a2b3c4)" in out.getvalue()
    kept = answer == "n\n"
    assert (LEASE in bucket(world), HOLD in bucket(world)) == (kept, kept)


def test_the_lock_of_a_run_that_is_gone_is_released_as_it_is(world: World) -> None:
    lease(world)
    world.sim.clock.advance(31)
    assert world.command("lock", "release").code == 0
    assert LEASE not in bucket(world)


def test_a_freeze_is_released_while_a_run_holds_the_lock(world: World) -> None:
    world.command("lock", "hold", "--reason", "wait")
    lease(world)
    done = world.command("lock", "release")
    assert done.code == 0
    assert "the deploy lock stays: it is held by bob on ci-7" in done.document["note"]
    assert (HOLD in bucket(world), LEASE in bucket(world)) == (False, True)


def test_nothing_to_release_is_no_error(world: World) -> None:
    done = world.command("lock", "release")
    assert (done.code, done.document["note"]) == (0, "nothing keeps deploys of dev out")


def test_a_run_whose_lock_was_released_by_force_stops(world: World) -> None:
    world.released("first")
    world.commit("second", healthy(start=60.0))
    world.sim.clock.after(30, lambda: bucket(world).pop(LEASE))
    done = world.command("deploy")
    assert done.code == 130
    assert "the deploy lock was released by somebody else" in done.document["error"]["message"]


# -- elsewhere ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "value"), [("registry", "127.0.0.1:4566"), ("connect_to", "localhost:4566")])
def test_half_of_a_local_platform_is_refused_before_anything_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    world.commit("first")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    world.environ[f"DEPLOYKIT_{key.upper()}"] = value
    for argv in (["deploy"], ["rollback"], ["status"], ["lock", "show"]):
        done = world.command(*argv)
        assert (done.code, done.calls) == (4, []), done.people
        said = done.document["error"]
        assert f"{key} {value} of environment dev is this machine" in said["message"]
        assert "ecs.us-east-1.amazonaws.com is AWS itself" in said["message"]
        assert f"unset DEPLOYKIT_{key.upper()}" in said["hint"]


def test_a_whole_local_platform_is_not(world: World) -> None:
    world.environ["DEPLOYKIT_CONNECT_TO"] = "127.0.0.1:4566"
    assert world.command("status").code == 0


def test_a_freeze_of_another_environment_that_shares_the_state_is_not_this_ones(world: World) -> None:
    first = world.commit("first")
    put = {"schema": 1, "by": "eve", "reason": "stop", "since": "2026-11-21T06:00:00Z", "environment": "prod"}
    request = Request("PUT", f"/shop-state/{HOLD}", {}, {}, json.dumps(put).encode())
    world.sim.s3.call("PutObject", request)
    assert world.command("deploy").document["release"]["sha"] == first
