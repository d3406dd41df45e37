"""Runs that begin at the same moment and wait for each other: one at a time, and at the end the newest commit runs."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Sequence
from typing import Any

import pytest

from deploykit.model.lock import TO_LIVE
from tests.flow.together_kit import Cut, Made, OneRun, Together
from tests.flow.world import READING, World

Json = dict[str, Any]
WAITING = ("--wait", "60m")


@pytest.mark.parametrize("seed", [1])
def test_of_ten_commits_deployed_at_once_the_newest_runs_at_the_end(world: World, seed: int) -> None:
    world.released("before")
    shas = ten_commits(world)
    together = deploys(world, shuffled(shas, seed), seed)
    together.go()
    one_at_a_time(together)
    assert runs(world) == {"api": shas[-1], "web": shas[-1]}
    for run in together.runs:
        assert run.code in (0, 4), run.people
        if run.code == 4:
            names_a_newer_one(run, shas)
    deployed = [run for run in together.runs if run.code == 0]
    assert [run.sha for run in by_end(deployed)] == sorted((run.sha for run in deployed), key=shas.index)
    assert ended(world)[1:] == [(run.sha, "deploy", "deployed") for run in by_end(deployed)]
    assert left_of_the_lease(world) == []


@pytest.mark.parametrize("operation", ["UpdateService"])
def test_one_of_ten_is_killed_on_its_way_and_the_others_get_through(world: World, operation: str) -> None:
    world.released("before")
    shas = ten_commits(world)
    together = deploys(world, shuffled(shas, 4), 4, Cut(operation))
    together.go()
    one_at_a_time(together)
    (killed,) = [run for run in together.runs if run.code is None]
    others = [run for run in together.runs if run is not killed]
    assert killed.sha != shas[-1]
    assert {run.code for run in others} <= {0, 4}, [run.people for run in others]
    after(together, killed, TO_LIVE)
    assert runs(world) == {"api": shas[-1], "web": shas[-1]}
    for run in others:
        if run.code == 4:
            names_a_newer_one(run, shas)
    deployed = by_end([run for run in others if run.code == 0])
    entries = [(run.sha, "deploy", "deployed") for run in deployed]
    assert ended(world)[1:] == [(killed.sha, "deploy", None), *entries]  # nobody saw how it would have ended
    assert left_of_the_lease(world) == []


def test_one_of_ten_that_stood_still_while_another_took_its_turn_changes_nothing_more(world: World) -> None:
    world.released("before")
    shas = ten_commits(world)
    together = deploys(world, shuffled(shas, 5), 5, Cut("UpdateService", still=100.0))
    together.go()
    one_at_a_time(together)
    (stopped,) = [run for run in together.runs if run.cut is not None]
    assert (stopped.code, stopped.sha != shas[-1]) == (130, True), stopped.people
    assert "took over the deploy lock; api is on its way to dev-api:3, web untouched" in stopped.people
    since = [made for made in together.made if made.run is stopped and made.call.at > (stopped.cut or 0.0)]
    assert [last_word(made) for made in since if changes(made)] == [True]
    assert {run.code for run in together.runs} == {0, 4, 130}
    assert runs(world) == {"api": shas[-1], "web": shas[-1]}
    assert ended(world)[1] == (stopped.sha, "deploy", "interrupted")
    assert {outcome for _, _, outcome in ended(world)[2:]} == {"deployed"}
    assert left_of_the_lease(world) == []


def test_when_the_newest_of_ten_is_killed_no_other_replaces_it_and_its_next_run_finishes_it(world: World) -> None:
    world.released("before")
    shas = ten_commits(world)
    together = deploys(world, [shas[-1], *shuffled(shas[:-1], 5)], None, Cut("UpdateService"))
    together.go()
    one_at_a_time(together)
    killed, *others = together.runs
    assert (killed.code, {run.code for run in others}) == (None, {4})
    after(together, killed, TO_LIVE)
    for run in others:
        names_a_newer_one(run, shas)
    assert ended(world)[1:] == [(shas[-1], "deploy", None)]
    done = world.command("deploy", "--sha", shas[-1])
    assert done.code == 0, done.people
    assert runs(world) == {"api": shas[-1], "web": shas[-1]}
    assert ended(world)[1:] == [(shas[-1], "deploy", "deployed")]
    assert left_of_the_lease(world) == []


def test_two_rollbacks_at_once_go_one_step_back_each(world: World) -> None:
    first, second, third = world.released("first", "second", "third")
    together = Together(world, 1)
    for _ in range(2):
        together.start("rollback", *WAITING)
    together.go()
    one_at_a_time(together)
    one, other = by_end(together.runs)
    assert (one.code, other.code) == (0, 0), one.people + other.people
    assert runs(world) == {"api": first, "web": first}
    assert [run.document["release"]["sha"] for run in (one, other)] == [second, first]
    assert [run.document["release"]["previous_sha"] for run in (one, other)] == [third, second]
    assert ended(world)[3:] == [(second, "rollback", "rolled_back"), (first, "rollback", "rolled_back")]
    assert left_of_the_lease(world) == []


# -- making -----------------------------------------------------------------------------------------------------------


def ten_commits(world: World) -> list[str]:
    """In one line, the newest last."""
    return [world.commit(f"change {number}") for number in range(10)]


def shuffled(shas: Sequence[str], seed: int) -> list[str]:
    return random.Random(seed).sample(shas, len(shas))


def deploys(world: World, shas: Sequence[str], seed: int | None, cut: Cut | None = None) -> Together:
    together = Together(world, seed, cut)
    for sha in shas:
        together.start("deploy", "--sha", sha, *WAITING, sha=sha)
    return together


# -- what must hold ---------------------------------------------------------------------------------------------------


def one_at_a_time(together: Together) -> None:
    """No call that changes ECS, CloudFront or the ledger between the first and the last of another run; each while the
    lease is its run's own; and nobody wrote the lease while it was another's."""
    spans: dict[OneRun, tuple[int, int]] = {}
    holder, heard = None, 0.0
    for number, made in enumerate(together.made):
        if changes(made):
            if last_word(made):
                continue
            spans[made.run] = spans.get(made.run, (number, number))[0], number
            assert holder is made.run, f"{made} while {holder} had the lease"
        elif writes_lease(made):
            at = made.call.at
            if made.call.operation == "DeleteObject":
                assert holder is made.run, f"{made.run} gave back the lease of {holder}"
                holder = None
                continue
            assert in_lease(made, "holder") == made.run.key.lower()
            assert holder in (None, made.run) or at - heard > TO_LIVE, f"{made.run} took it of {holder} at {at:.1f} s"
            holder, heard = made.run, at
    assert holder is None
    in_turn = sorted(spans.values())
    assert in_turn
    for (_, last), (following, _) in itertools.pairwise(in_turn):
        assert last < following, f"{together.made[following]} before {together.made[last]}"


def after(together: Together, killed: OneRun, seconds: float) -> None:
    """The others began only so long after the killed run was last heard of; and it did nothing from its end on."""
    calls = [made.call for made in together.made if made.run is killed]
    assert killed.cut is not None
    assert max(call.at for call in calls) < killed.cut
    heard = max(made.call.at for made in together.made if made.run is killed and writes_lease(made))
    others = [made.call.at for made in together.made if made.run is not killed and writes_lease(made)]
    assert heard + seconds < min(others) < heard + seconds + 20


def names_a_newer_one(run: OneRun, shas: Sequence[str]) -> None:
    newer = [sha[:7] for sha in shas[shas.index(run.sha) + 1 :]]
    found = re.fullmatch(r"commit (\w{7}) is older than the running (\w{7})", run.document["error"]["message"])
    assert found, run.people
    assert found[1] == run.sha[:7]
    assert found[2] in newer


def changes(made: Made) -> bool:
    call = made.call
    if call.operation.startswith(READING):
        return False
    return call.service in ("ecs", "cloudfront") or "/releases/" in str(call.params.get("path"))


def last_word(made: Made) -> bool:
    """A run that was stopped and lost the lease writes into its own entry how it ended."""
    path = str(made.call.params.get("path"))
    stopped = made.run.cut is not None and made.call.at > made.run.cut
    return stopped and "/releases/" in path and path.endswith(f"-{made.run.sha[:7]}.json")


def writes_lease(made: Made) -> bool:
    call = made.call
    written = call.operation in ("PutObject", "DeleteObject") and call.error is None
    return written and str(call.params["path"]).endswith("/lease.json")


def in_lease(made: Made, name: str) -> str:
    found = re.search(rf'"{name}": "([^"]*)"', made.call.params["body"].decode())
    assert found
    return found[1]


def by_end(runs: Sequence[OneRun]) -> list[OneRun]:
    return sorted(runs, key=lambda run: run.ended)


def runs(world: World) -> dict[str, str]:
    """The commit that each service's tasks get as their version."""
    found = {}
    for key, served in world.services.items():
        state = world.sim.state.services[served.cluster, served.name]
        variables = {each["name"]: each["value"] for each in state.definition.containers[0]["environment"]}
        found[key] = variables["GIT_SHA"]
    return found


def ended(world: World) -> list[tuple[str, str, str | None]]:
    """The ledger, oldest first: commit, command and outcome."""
    stored = world.sim.s3.buckets["shop-state"]
    entries: list[Json] = [json.loads(stored[name].body) for name in sorted(stored) if name.startswith("dev/releases/")]
    return [(entry["sha"], entry["command"], entry["outcome"]) for entry in entries]


def left_of_the_lease(world: World) -> list[str]:
    return [name for name in world.sim.s3.buckets["shop-state"] if name.endswith("lease.json")]
