"""How often the judge is right: `python -m tests.benchmarks.judge_table` prints the table that docs/judge.md shows.

Every kind of release is judged 1,000 times, 10,000 times where a claim needs it, each from its own fixed seed. Exits 1
where a limit is missed.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from deploykit.model.release import Verdict
from tests.benchmarks.judge_releases import CASES, Case, Judged, judge_release

FEW, MANY = 1_000, 10_000
HEADER = (
    "| release | judged | right | healthy | unhealthy | inconclusive | held to | rounds | seconds | slowest 1 % |",
    "|---|--:|---|--:|--:|--:|---|--:|--:|--:|",
)


def wrong(case: Case, judged: Sequence[Judged]) -> int:
    """How many ended with the verdict that this case must not have."""
    return sum(each.verdict is case.never for each in judged)


def within(case: Case, judged: Sequence[Judged]) -> bool:
    return case.most_wrong is None or wrong(case, judged) <= case.most_wrong * len(judged)


def allowed(case: Case) -> str:
    """How many may end wrongly, and how: for people."""
    if case.most_wrong is None:
        return "–"
    return f"{case.never} at most {case.most_wrong:.1%}" if case.most_wrong else f"never {case.never}"


def row(case: Case, judged: Sequence[Judged]) -> str:
    """One case as a line of Markdown: counts of verdicts, medians of rounds and seconds, the 99th percentile."""
    count = Counter(each.verdict for each in judged)
    columns = (Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.INCONCLUSIVE)
    verdicts = " | ".join(f"{count[verdict]:,}" for verdict in columns)
    rounds = sorted(each.rounds for each in judged)
    seconds = sorted(each.seconds for each in judged)
    late = seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)]
    middle = len(judged) // 2
    return (
        f"| {case.name} | {len(judged):,} | {case.right} | {verdicts} | {allowed(case)} "
        f"| {rounds[middle]} | {seconds[middle]:.0f} | {late:.0f} |"
    )


def simulate(case: Case, releases: Iterable[int]) -> list[Judged]:
    return [judge_release(case, seed) for seed in releases]


def main() -> int:
    missed = []
    print(*HEADER, sep="\n")
    with ProcessPoolExecutor(2) as pool:
        for case in CASES:
            number = MANY if case.many else FEW
            judged = list(pool.map(partial(judge_release, case), range(number), chunksize=100))
            print(row(case, judged), flush=True)
            if not within(case, judged):
                found = f"{wrong(case, judged)} of {number} {case.never}"
                missed.append(f"{case.name}: {found}, {allowed(case)}")
    print(*missed, sep="\n", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
