"""`history --stats` after a week of releases: the four measures, and what each is computed from."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from deploykit.__main__ import main
from tests.flow.test_accept_streams import EndsAfter
from tests.flow.world import World, sick

DAY = 86400.0


def commit(world: World, monkeypatch: pytest.MonkeyPatch, message: str, *, minutes_ago: float, **more: Any) -> str:
    """A commit made so long before now, by the simulator's clock."""
    made = world.sim.clock.wall().now() - timedelta(minutes=minutes_ago)
    monkeypatch.setenv("GIT_COMMITTER_DATE", made.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return world.commit(message, **more)


def a_week(world: World, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Four good releases, one that is undone, and one that a rollback leaves; how long each run took, in seconds."""
    took = []
    for message, minutes in (("one", 30), ("two", 60), ("three", 90)):
        commit(world, monkeypatch, message, minutes_ago=minutes)
        done = world.run("deploy")
        assert done.code == 0
        took.append(done.seconds)
        world.sim.clock.advance(2 * DAY)
    commit(world, monkeypatch, "bad", minutes_ago=5, behaviour=sick())
    done = world.run("deploy")
    assert done.code == 10
    took.append(done.seconds)
    commit(world, monkeypatch, "slow", minutes_ago=10)
    done = world.run("deploy")
    assert done.code == 0
    took.append(done.seconds)
    world.sim.clock.advance(3600)
    done = world.run("rollback", "--reason", "prices are wrong")
    assert done.code == 0
    took.append(done.seconds)
    return took


def test_the_four_measures_come_from_the_ledger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    took = a_week(world, monkeypatch)
    done = world.run("history", "--stats")
    assert done.code == 0
    assert set(done.calls) <= {"GetCallerIdentity", "ListObjectsV2", "GetObject"}
    stats = done.document["stats"]
    assert (stats["window"]["days"], stats["window"]["seconds"]) == (90, 90 * DAY)
    assert stats["deployments"] == {
        "total": 5, "healthy": 3, "unchecked": 0, "inconclusive": 0, "failed": 1, "withdrawn": 1, "not_counted": [],
    }  # fmt: skip
    frequency = stats["deployment_frequency"]
    assert frequency["deployments"] == 5
    assert frequency["per_day"] == pytest.approx(5 * DAY / stats["window"]["observed_seconds"], abs=1e-3)
    lead = stats["change_lead_time"]
    assert (lead["known"], lead["of"]) == (4, 4)
    waits = [30 * 60, 60 * 60, 90 * 60, 10 * 60]
    expected = [wait + seconds for wait, seconds in zip(waits, [*took[:3], took[4]], strict=True)]
    assert [one["seconds"] for one in lead["durations"]] == pytest.approx(expected, abs=3)
    assert (stats["change_fail_rate"]["rate"], stats["change_fail_rate"]["failed"]) == (0.4, 2)
    recovery = stats["failed_deployment_recovery_time"]
    assert (recovery["recovered"], recovery["failed"]) == (2, 2)
    assert [one["seconds"] for one in recovery["durations"]] == pytest.approx([took[3], took[5]], abs=30)
    assert recovery["median_seconds"] == pytest.approx((took[3] + took[5]) / 2, abs=30)
    assert recovery["reason"] == "only 2, which says little"
    assert [one["kind"] for one in done.document["releases"]] == ["rollback", *["deploy"] * 5]
    for fact in ("deployments: 5 (3 healthy, 1 failed, 1 withdrawn)", "40 %", "known for 4 of 4", "2 of 2 recovered"):
        assert fact in done.people


def test_a_shorter_window_counts_what_began_in_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(world, monkeypatch)
    stats = world.run("history", "--stats", "--since", "2d").document["stats"]
    assert stats["deployments"]["total"] == 2
    assert stats["deployment_frequency"]["per_day"] == 1
    assert (stats["change_fail_rate"]["rate"], stats["change_fail_rate"]["failed"]) == (1, 2)
    listed = world.run("history", "--since", "2d").document
    assert [one["kind"] for one in listed["releases"]] == ["rollback", "deploy", "deploy"]
    assert listed["stats"] is None
    assert len(world.run("history", "--since", "2d", "--limit", "1").document["releases"]) == 1


def test_a_release_that_was_interrupted_counts_once_and_to_its_real_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = commit(world, monkeypatch, "one", minutes_ago=30)
    began = world.sim.clock.wall().now()
    interrupted = EndsAfter(world, 6)
    argv = ["deploy"]
    assert main(argv, clock=interrupted, environ=world.environ, stdout=io.StringIO(), stderr=io.StringIO()) == 130
    stats = world.run("history", "--stats").document["stats"]["deployments"]
    assert (stats["total"], [one["reason"] for one in stats["not_counted"]]) == (
        0, ["interrupted, or another rollout took over"],
    )  # fmt: skip
    world.sim.clock.advance(7200)
    assert world.run("deploy", "--sha", sha).code == 0
    after = (world.sim.clock.wall().now() - began).total_seconds()
    stats = world.run("history", "--stats").document["stats"]
    assert (stats["deployments"]["total"], stats["deployments"]["not_counted"]) == (1, [])
    [one] = stats["change_lead_time"]["durations"]
    assert one["seconds"] == pytest.approx(1800 + after, abs=3)


def test_the_record_says_when_the_commit_was_made_and_when_the_run_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(world, monkeypatch, "one", minutes_ago=30)
    made = world.git("log", "-1", "--format=%cI")
    assert world.run("deploy").code == 0
    [stored] = world.sim.s3.buckets["shop-state"].values()
    record = json.loads(stored.body)
    assert datetime.fromisoformat(record["committed"]) == datetime.fromisoformat(made)
    assert datetime.fromisoformat(record["ended"]) > datetime.fromisoformat(record["started"])


def test_before_the_first_release_there_is_no_number(world: World) -> None:
    done = world.run("history", "--stats")
    stats = done.document["stats"]
    assert done.code == 0
    assert (stats["deployment_frequency"]["per_day"], stats["change_fail_rate"]["rate"]) == (None, None)
    assert "the ledger has no entry" in done.people
    assert done.people.count("unknown: no ") == 4


def test_without_a_ledger_it_says_what_is_missing(world: World) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("state")))
    done = world.run("history", "--stats")
    assert (done.code, done.document["stats"]["deployment_frequency"]["per_day"]) == (0, None)
    assert "no ledger is configured: `state` under [environments.dev]" in done.people


def test_a_ledger_that_may_not_be_read_is_out_of_reach(world: World) -> None:
    world.sim.faults.deny("ListObjectsV2", service="s3")
    assert world.run("history", "--stats").code == 3


@pytest.mark.parametrize(
    "argv", [("--stats", "--limit", "3"), ("--since", "yesterday"), ("--since", "0d"), ("--since", "99999d")]
)
def test_what_cannot_be_meant_is_refused(world: World, argv: tuple[str, ...]) -> None:
    done = world.run("history", *argv)
    assert (done.code, done.calls) == (2, [])
    assert done.document["error"]["hint"]
