"""Killed at every changing call, before and after, and run again: every run ends where an undisturbed one ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.flow.killing import Asked, Try, killed, undisturbed
from tests.flow.world import Json, World, crashing, sick


def good(world: World) -> tuple[str, ...]:
    world.released("first")
    world.commit("second")
    return ("deploy",)


def undone(world: World) -> tuple[str, ...]:
    world.released("first")
    world.commit("second", api=sick())
    return ("deploy",)


def crashed(world: World) -> tuple[str, ...]:
    world.released("first")
    world.commit("second", web=crashing())
    return ("deploy",)


def rolled_back(world: World) -> tuple[str, ...]:
    world.released("first", "second", "third")
    return ("rollback", "--yes")


def rolled_back_to_a_deregistered_revision(world: World) -> tuple[str, ...]:
    world.released("first", "second")
    world.sim.ecs.deregister_task_definition({"taskDefinition": "dev-api:2"})
    world.sim.clock.advance(3600)
    return ("rollback", "--yes")


RUNS: dict[str, tuple[Callable[[World], tuple[str, ...]], int]] = {
    "a good deploy": (good, 0),
    "an undo for the checks": (undone, 10),
    "a crash": (crashed, 10),
    "a rollback": (rolled_back, 0),
    "a rollback to a deregistered revision": (rolled_back_to_a_deregistered_revision, 0),
}
ONLY = {
    "an undo for the checks": (6, 99),
    "a crash": (6, 99),
    "a rollback to a deregistered revision": (2, 4),
}
"""Which calls of it are of interest; before them and after them it does what another of these runs does."""


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_killed_at_any_change_ends_as_if_it_had_not_been(world: World, name: str) -> None:
    arrange, code = RUNS[name]
    argv = arrange(world)
    world.sim.stop()
    asked = Asked(argv, end_of, lies_of_status)
    whole = undisturbed(world, asked)
    assert whole.code == code, whole.people
    # what follows the last call, which gives the lock back, is another command's
    points = [(at, before) for at in range(len(whole.calls)) for before in (True, False)][:-1]
    first, last = ONLY.get(name, (0, len(whole.calls)))
    wanted = [(at, before) for at, before in points if first <= at < last and not same_as_before(whole, at, before)]
    tries = {point: killed(world, asked, *point) for point in wanted}
    strayed = {
        f"{'before' if before else 'after'} {at} {whole.calls[at]}": difference(whole, tries[at, before])
        for at, before in tries
        if difference(whole, tries[at, before])
    }
    assert not strayed, f"{len(strayed)} of {len(tries)} strayed:\n" + "\n".join(
        f"{k}: {v}" for k, v in strayed.items()
    )
    assert len(whole.calls) >= 11
    assert len(tries) >= (2 if last < 6 else 8)
    assert [f"{whole.calls[at]}: {tries[at, before].lies}" for at, before in tries if tries[at, before].lies] == []


def same_as_before(whole: Try, at: int, before: bool) -> bool:
    """True right before a call where no time has passed since the one before: that is the moment right after that."""
    return before and at > 0 and whole.times[at] == whole.times[at - 1]


def difference(whole: Try, once_more: Try) -> str:
    """What is other than after the undisturbed run; empty where nothing is."""
    ends = [f"exit {once_more.code}"] if once_more.code not in (whole.code, 0) else []
    ends += [
        f"{key}: {once_more.end[key]} instead of {whole.end[key]}"
        for key in whole.end
        if once_more.end[key] != whole.end[key]
    ]
    return "; ".join(ends) + (f"\n{once_more.people}" if ends else "")


def lies_of_status(world: World) -> str:
    """A release that `status` names, and that some service does not run; empty where it tells the truth."""
    status = world.command("status").document
    release, objects = status["release"], world.sim.s3.buckets["shop-state"]
    entry = objects.get(f"dev/releases/{release['id']}.json")
    changed = json.loads(entry.body)["changing"] if entry else list(world.services)
    others = [key for key in changed if status["services"][key]["sha"] != release["sha"]]
    return f"{release['sha']} does not run in {', '.join(others)}" if release["id"] and others else ""


def end_of(world: World) -> Json:
    """All that a person could find afterwards, with ids as their place among the releases, and without times."""
    clock = world.sim.clock
    objects = world.sim.s3.buckets["shop-state"]
    entries = [json.loads(objects[key].body) for key in sorted(objects) if "/releases/" in key]
    places = {entry["id"]: f"release {place}" for place, entry in enumerate(entries)}

    def named(value: Any) -> Any:
        return json.loads(re.sub("|".join(map(re.escape, places)), lambda hit: places[hit[0]], json.dumps(value)))

    kept = ("kind", "command", "sha", "previous_sha", "verdict", "outcome", "target", "withdrawn_by", "withdraws")
    tags = world.sim.state.tags
    return {
        "running": {key: world.running(key) for key in world.services},
        "revisions": named(
            {
                revision.arn.rpartition("/")[2]: sorted(
                    (tag["key"], tag["value"]) for tag in tags.get(revision.arn, [])
                )
                for family in world.sim.state.definitions.values()
                for revision in family
            }
        ),
        "entries": named([{name: entry[name] for name in kept} for entry in entries]),
        "services": named(
            [
                {
                    k: (s["task_definition"], s["previous_task_definition"], s["changed"])
                    for k, s in entry["services"].items()
                }
                for entry in entries
            ]
        ),
        "invalidations": named(
            [(i.reference, i.paths) for i in world.sim.cloudfront.distributions["E1SHOP"].invalidations]
        ),
        "updates": sum(call.operation == "UpdateService" and call.error is None for call in world.sim.calls),
        # the next run has it at once, or it is one that a killed run left and that nobody had to take since
        "leases": [key for key in objects if key == "dev/lease.json" and clock.stamp - objects[key].modified <= 60],
    }


def test_a_run_that_was_killed_on_this_machine_is_not_waited_for(world: World) -> None:
    good(world)
    world.sim.stop()
    done = killed(world, Asked(("deploy",), end_of, lies_of_status, wait=0.0), 3, before_it=False)
    assert done.code == 0, done.people
    assert "was cut off, and its process is gone" in done.people
