"""How long a rollback takes to begin: `python -m tests.benchmarks.bench_rollback`.

Rolls back and forth between two releases in a sandbox with `deploykit rollback --to`. Prints the seconds from the
command's start to the sandbox's first UpdateService, and to the command's end. Exits 1 if UpdateService takes longer
than two seconds.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.flow.e2e import Project, project
from tests.flow.test_e2e_release import CONFIGURATION

REPEATS = 6
ALLOWED = 2.0  # seconds until UpdateService


def _seconds(platform: Project, sha: str) -> tuple[float, float]:
    platform.forget_calls()
    began = time.monotonic()
    with platform.start("rollback", "--to", sha) as under_way:
        while "ecs:UpdateService" not in platform.calls():
            if time.monotonic() - began > 60:
                raise SystemExit("no UpdateService within a minute")
            time.sleep(0.01)
        begun = time.monotonic() - began
        ended = under_way.end()
    if ended.code:
        raise SystemExit(ended.people)
    return begun, time.monotonic() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, project(Path(folder), CONFIGURATION, ("berths", "board")) as platform:
        shas = []
        for subject in ("one", "two"):
            shas.append(platform.commit(subject, berths="well", board="well"))
            done = platform.run("deploy")
            if done.code:
                raise SystemExit(done.people)
        took = [_seconds(platform, shas[turn % 2]) for turn in range(REPEATS)]
    begun, ended = (sorted(column) for column in zip(*took, strict=True))
    print(f"{'':>14} {'fastest':>8} {'median':>8} {'slowest':>8}")
    for name, column in (("UpdateService", begun), ("healthy again", ended)):
        print(f"{name:>14} {column[0]:>8.2f} {statistics.median(column):>8.2f} {column[-1]:>8.2f}")
    median = statistics.median(begun)
    print(f"UpdateService: {median / ALLOWED:.2f} of the {ALLOWED:g} s allowed, at worst {begun[-1] / ALLOWED:.2f}")
    return 0 if median <= ALLOWED else 1


if __name__ == "__main__":
    sys.exit(main())
