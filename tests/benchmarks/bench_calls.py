"""What a release costs in AWS calls: `python -m tests.benchmarks.bench_calls`.

Two services changed, by the simulated shop; then ten services that take three minutes, in five shapes, and a release of
ten in which one crashes. Exits 1 where a release makes more than 45 calls besides polling, or ten services cost more
than 90 polls and looks at stopped tasks together.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.flow.larger import many
from tests.flow.world import World, healthy, renews, shop
from tests.simulator.ecs_state import Behaviour
from tests.simulator.simulator import Call

ALLOWED_CALLS = 45
ALLOWED_POLLS = 90
SLOW = [healthy(start=10.0 + 8 * number, healthy_after=20.0 + 6 * number) for number in range(10)]
CRASHING = healthy(start=60.0, exits=(4.0, 1))
# shape → how each of ten services behaves, and how long its old tasks drain (seconds)
SHAPES: dict[str, tuple[list[Behaviour], float]] = {
    "slow to start": ([healthy(start=60.0, healthy_after=95.0)] * 10, 15.0),
    "slow to become healthy": ([healthy(start=10.0, healthy_after=145.0)] * 10, 15.0),
    "slow to drain": ([healthy(start=10.0, healthy_after=25.0)] * 10, 140.0),
    "a third of each": ([healthy(start=60.0, healthy_after=40.0)] * 10, 70.0),
    "one after the other": (SLOW, 15.0),
}


def kinds(calls: list[Call]) -> Counter[str]:
    """How many are a ``poll`` (asked again until an end), a ``look`` (at stopped tasks meanwhile), or a ``call``.

    A heartbeat of the lease is a ``renewal``, which comes with time and before each change.

    Tasks and targets are looked at once behind each COMPLETED; asking again for the same service is a poll. What
    describes listed tasks is of the kind of that listing.
    """
    found: Counter[str] = Counter()
    asked: set[tuple[str, str]] = set()
    rolling, listed = False, "call"
    for call in calls:
        rolling = rolling or call.operation == "UpdateService"
        if call.operation == "ListTasks":
            stopped, service = call.params.get("desiredStatus") == "STOPPED", str(call.params.get("serviceName"))
            again = ("tasks", service) in asked and "nextToken" not in call.params
            listed = "look" if stopped else "poll" if again else "call"
            asked |= set() if stopped else {("tasks", service)}
        if call.operation in ("ListTasks", "DescribeTasks"):
            found[listed] += 1
        elif renews(call):
            found["renewal"] += 1
        elif call.operation == "DescribeTargetHealth":
            group = ("targets", str(call.params["TargetGroupArn"]))
            found["poll" if group in asked else "call"] += 1
            asked.add(group)
        else:
            polls = call.operation == "GetInvalidation" or (call.operation == "DescribeServices" and rolling)
            found["poll" if polls else "call"] += 1
    return found


def deployed(world: World, subject: str, services: dict[str, Behaviour], code: int = 0) -> list[Call]:
    """The calls of a deploy that is to end with ``code``."""
    world.commit(subject, **services)
    with world.sim.recording() as calls:
        done = world.run("deploy")
    if done.code != code:
        raise SystemExit(done.people)
    return calls


def two_services() -> int:
    """Calls besides polling of a release after the first, way back and preflight included."""
    slow = {"api": healthy(start=30.0), "web": healthy(start=30.0)}
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        shop(Path(folder) / "shop", patch) as world,
    ):
        deployed(world, "first", slow)
        found = kinds(deployed(world, "second", slow))
    print(f"two services: {found['call']} calls, {found['poll']} polls, {found['look']} looks at stopped tasks")
    print(f"  {found['call'] / ALLOWED_CALLS:.2f} of the {ALLOWED_CALLS} calls allowed")
    return found["call"]


def ten_services(shape: str, crashing: bool = False) -> int:
    """Polls and looks at stopped tasks of a rollout of ten services in about three minutes.

    With ``crashing`` one more release follows, in which one of the ten crashes again and again, and only that counts.
    """
    behaviours, draining = SHAPES[shape]
    services = {f"s{n}": each for n, each in enumerate(behaviours)}
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as folder,
        many(Path(folder) / "shop", patch, 10) as world,
    ):
        for group in world.sim.elb.groups.values():
            group.deregistration_delay = draining
        began = world.sim.clock.now
        calls = deployed(world, "first", services)
        if crashing:
            began = world.sim.clock.now
            calls = deployed(world, "second", {**services, "s7": CRASHING}, code=10)
        found = kinds(calls)
        seconds = world.sim.clock.now - began
    asked = found["poll"] + found["look"]
    print(
        f"{'a crash loop among ten' if crashing else shape:>24} {seconds:>8.0f} {found['poll']:>6} {found['look']:>6} "
        f"{asked / ALLOWED_POLLS:>8.2f} {found['call']:>6}"
    )
    return asked


def main() -> int:
    calls = two_services()
    print(f"{'ten services':>24} {'seconds':>8} {'polls':>6} {'looks':>6} {'x limit':>8} {'calls':>6}")
    asked = max(*(ten_services(shape) for shape in SHAPES), ten_services("slow to start", crashing=True))
    return 0 if calls <= ALLOWED_CALLS and asked <= ALLOWED_POLLS else 1


if __name__ == "__main__":
    sys.exit(main())
