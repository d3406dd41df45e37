"""`history --stats` after a week of releases: the four measures, and what each is computed from."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

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
    assert (recovery["median_seconds"], recovery["recovered"], recovery["failed"]) == (None, 2, 2)
    assert [one["seconds"] for one in recovery["durations"]] == pytest.approx([took[3], took[5]], abs=30)
    assert [one["kind"] for one in done.document["releases"]] == ["rollback", *["deploy"] * 5]
    for fact in ("deployments: 5 (3 healthy, 1 failed, 1 withdrawn)", "40 %", "known for 4 of 4", "2 of 2 recovered"):
        assert fact in done.people


def test_a_shorter_window_counts_what_began_in_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a_week(world, monkeypatch)
    stats = world.run("history", "--stats", "--since", "2d").document["stats"]
    assert stats["deployments"]["total"] == 2
    assert stats["deployment_frequency"]["per_day"] == 1
    assert (stats["change_fail_rate"]["rate"], stats["change_fail_rate"]["failed"]) == (None, 2)
    listed = world.run("history", "--since", "2d").document
    assert [one["kind"] for one in listed["releases"]] == ["rollback", "deploy", "deploy"]
    assert listed["stats"] is None
    assert len(world.run("history", "--since", "2d", "--limit", "1").document["releases"]) == 1


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
