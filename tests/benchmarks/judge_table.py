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
    "| release | judged | right | healthy | unhealthy | inconclusive | limit | baseline | rounds | seconds |",
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
    """One case as a line of Markdown: counts of verdicts; medians and the slowest percent of rounds and seconds."""
    count = Counter(each.verdict for each in judged)
    columns = (Verdict.HEALTHY, Verdict.UNHEALTHY, Verdict.INCONCLUSIVE)
    verdicts = " | ".join(f"{count[verdict]:,}" for verdict in columns)
    before = spread(each.before for each in judged)
    rounds = spread(each.rounds for each in judged)
    seconds = spread(each.seconds for each in judged)
    return (
        f"| {case.name} | {len(judged):,} | {case.right} | {verdicts} | {allowed(case)} "
        f"| {before} | {rounds} | {seconds} |"
    )


def spread(figures: Iterable[float]) -> str:
    """The median and, where it is another, the 99th percentile in brackets."""
    ordered = sorted(figures)
    middle, late = (f"{ordered[len(ordered) * percent // 100]:.0f}" for percent in (50, 99))
    return middle if middle == late else f"{middle} ({late})"


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
