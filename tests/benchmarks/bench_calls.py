"""What a release costs in AWS calls: `python -m tests.benchmarks.bench_calls`.

Two services changed, by the simulated shop; then ten services that take three minutes, in five shapes. Exits 1 where a
release makes more than 45 calls besides polling, or ten services are polled more than 90 times.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.flow.larger import many
from tests.flow.world import World, healthy, shop
from tests.simulator.ecs_state import Behaviour
from tests.simulator.simulator import Call

ALLOWED_CALLS = 45
ALLOWED_POLLS = 90
SLOW = [healthy(start=10.0 + 8 * number, healthy_after=20.0 + 6 * number) for number in range(10)]
# shape → how each of ten services behaves, and how long its old tasks drain (seconds)
SHAPES: dict[str, tuple[list[Behaviour], float]] = {
    "slow to start": ([healthy(start=60.0, healthy_after=95.0)] * 10, 15.0),
    "slow to become healthy": ([healthy(start=10.0, healthy_after=145.0)] * 10, 15.0),
    "slow to drain": ([healthy(start=10.0, healthy_after=25.0)] * 10, 140.0),
    "a third of each": ([healthy(start=60.0, healthy_after=40.0)] * 10, 70.0),
    "one after the other": (SLOW, 15.0),
}


def kind(call: Call, rolling: bool) -> str:
    """``poll`` (asked again and again until an end), ``look`` (at stopped tasks meanwhile), or ``call``."""
    if call.operation == "GetInvalidation" or (call.operation == "DescribeServices" and rolling):
        return "poll"
    return "look" if call.params.get("desiredStatus") == "STOPPED" else "call"


def kinds(calls: list[Call]) -> Counter[str]:
    """How many of each kind; DescribeTasks is of the kind of the ListTasks before it."""
    found: Counter[str] = Counter()
    rolling, listed = False, "call"
    for call in calls:
        rolling = rolling or call.operation == "UpdateService"
        what = listed if call.operation == "DescribeTasks" else kind(call, rolling)
        listed = what if call.operation == "ListTasks" else listed
        found[what] += 1
    return found


def deployed(world: World, subject: str, **services: Behaviour) -> list[Call]:
    world.commit(subject, **services)
    with world.sim.recording() as calls:
        done = world.run("deploy")
    if done.code:
        raise SystemExit(done.people)
    return calls


def two_services() -> int:
    """Calls besides polling of a release after the first, way back and preflight included."""
    slow = healthy(start=30.0)
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        shop(Path(folder) / "shop", patch) as world,
    ):
        deployed(world, "first", api=slow, web=slow)
        found = kinds(deployed(world, "second", api=slow, web=slow))
    print(f"two services: {found['call']} calls, {found['poll']} polls, {found['look']} looks at stopped tasks")
    print(f"  {found['call'] / ALLOWED_CALLS:.2f} of the {ALLOWED_CALLS} calls allowed")
    return found["call"]


def ten_services(shape: str) -> int:
    """DescribeServices calls of a rollout of ten services in about three minutes."""
    behaviours, draining = SHAPES[shape]
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        many(Path(folder) / "shop", patch, 10) as world,
    ):
        for group in world.sim.elb.groups.values():
            group.deregistration_delay = draining
        began = world.sim.clock.now
        found = kinds(deployed(world, "first", **{f"s{n}": each for n, each in enumerate(behaviours)}))
        seconds = world.sim.clock.now - began
    print(
        f"{shape:>24} {seconds:>8.0f} {found['poll']:>6} {found['poll'] / ALLOWED_POLLS:>8.2f} {found['look']:>6} "
        f"{found['call']:>6}"
    )
    return found["poll"]


def main() -> int:
    calls = two_services()
    print(f"{'ten services':>24} {'seconds':>8} {'polls':>6} {'x limit':>8} {'looks':>6} {'calls':>6}")
    polls = max(ten_services(shape) for shape in SHAPES)
    return 0 if calls <= ALLOWED_CALLS and polls <= ALLOWED_POLLS else 1


if __name__ == "__main__":
    sys.exit(main())
