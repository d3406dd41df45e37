"""Start-up next to `ecs --help` of ecs-deploy, in one run: `python -m tests.benchmarks.bench_startup`.

Exits 1 where `--version` or `--help` takes more than half of its wall time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 11
LIMIT = 0.5


def _take(argv: list[str], turns: dict[str, list[float]], name: str) -> None:
    began = time.perf_counter()
    subprocess.run(argv, capture_output=True, check=True, timeout=60)
    turns.setdefault(name, []).append(time.perf_counter() - began)


def main() -> int:
    """Turn by turn, so that a busy moment of the machine meets all three alike."""
    scripts = Path(sys.executable).parent
    commands = {
        "ecs --help": [str(scripts / "ecs"), "--help"],
        "deploykit --version": [str(scripts / "deploykit"), "--version"],
        "deploykit --help": [str(scripts / "deploykit"), "--help"],
    }
    turns: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        for name, argv in commands.items():
            _take(argv, turns, name)
    theirs = statistics.median(turns["ecs --help"])
    worst = 0.0
    for name, taken in turns.items():
        ratio = statistics.median(taken) / theirs
        worst = max(worst, ratio if name != "ecs --help" else 0.0)
        print(f"{name:20} {statistics.median(taken):.3f} s  {ratio:.2f} of ecs --help")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
