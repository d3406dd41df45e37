"""What the lease costs where S3 is as far away as in AWS: `python -m tests.benchmarks.bench_lease`.

Every call that only the lease makes (lease.json, hold.json, the second look at what runs) is answered 40 ms late, or at
once, turn by turn; the difference of the best is what it adds. Heartbeats in the middle of a sleep are not late, since
they do not make it longer. S3 answers small requests in 10 to 40 ms from the same region.
Exits 1 beyond 1 s a release, or 0.3 s before a rollback's first change.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.flow.world import World, shop
from tests.simulator.protocol import Request, Response

LATE = 0.04  # seconds
BEAT = 15.0  # virtual seconds
REPEATS = 5
LIMITS = {"a release": 1.0, "a rollback, to its first change": 0.3}


class Far:
    """The simulator's door: late for what the lease asks, where ``late``; notes when a service was first changed."""

    def __init__(self, world: World) -> None:
        self.late = 0.0
        self.changed: float | None = None
        self.lists = 0
        self._clock, self._last = world.sim.clock, world.sim.clock.now
        self._answer = world.sim.handle
        world.sim._server.answer = self.answer  # behind the socket, before the simulator's lock

    def begin(self, late: float) -> None:
        self.late, self.changed, self.lists, self._last = late, None, 0, self._clock.now

    def answer(self, request: Request) -> Response:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        self.lists += "list-type" in request.query
        again = self.lists > 1 and (
            "list-type" in request.query or (operation == "DescribeServices" and not self.changed)
        )
        if again or request.path.endswith(("/lease.json", "/hold.json")):
            time.sleep(self.late)
        if operation == "UpdateService" and self.changed is None:
            self.changed = time.perf_counter()
        return self._answer(request)


def main() -> int:
    found: dict[str, dict[float, list[float]]] = {name: {0.0: [], LATE: []} for name in LIMITS}
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        shop(Path(folder) / "shop", patch) as world,
    ):
        far = Far(world)
        world.released("first", "second")
        for turn in range(2 * REPEATS):
            late = LATE if turn % 2 else 0.0
            far.begin(late)
            world.commit(f"turn {turn}")
            began = time.perf_counter()
            assert world.command("deploy").code == 0
            found["a release"][late].append(time.perf_counter() - began)
            far.begin(late)
            began = time.perf_counter()
            assert world.command("rollback").code == 0
            assert far.changed is not None
            found["a rollback, to its first change"][late].append(far.changed - began)
    worst = 0.0
    for name, turns in found.items():
        added = min(turns[LATE]) - min(turns[0.0])  # what else the machine did only adds
        worst = max(worst, added / LIMITS[name])
        share = added / LIMITS[name]
        print(f"{name}: the lease adds {added:.2f} s at {LATE * 1000:.0f} ms a call, {share:.2f} of what it may")
    return int(worst > 1)


if __name__ == "__main__":
    sys.exit(main())
