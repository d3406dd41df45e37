"""How a command ended, in the five things that every scenario asserts."""

from __future__ import annotations

from collections.abc import Mapping

from tests.flow.world import Done, World, operations

BEGUN = {"RegisterTaskDefinition": 1, "UpdateService": 1}
"""The changing calls of one service's rollout."""
BOTH = {"RegisterTaskDefinition": 2, "UpdateService": 2, "StopServiceDeployment": 0, "CreateInvalidation": 1}
"""Those of a release of the shop: two services and a cache."""
PUT_BACK = {**BEGUN, "StopServiceDeployment": 1}
"""Those of one rollout that was stopped on its way."""
NOTHING = {"RegisterTaskDefinition": 0, "UpdateService": 0, "StopServiceDeployment": 0, "CreateInvalidation": 0}
POLLS = ("DescribeServices", "DescribeServiceDeployments", "GetInvalidation")
"""What is asked again and again until something has come to its end."""


def assert_end(
    done: Done,
    code: int,
    outcome: str,
    says: str | tuple[str, ...],
    seconds: tuple[float, float],
    calls: Mapping[str, int],
    besides: int,
    verdict: str = "",
) -> None:
    """Outcome, exit code, what a person reads, virtual seconds (least, most) and calls.

    ``calls``: exactly so often each; ``besides``: at most so many in all that are no polls. DescribeServices comes at
    most every two seconds in the mean, save in short runs, where the end is always near.
    """
    assert (done.code, done.document["outcome"]) == (code, outcome), done.people
    for words in (says,) if isinstance(says, str) else says:
        assert words in done.people, done.people
    least, most = seconds
    assert least <= done.seconds <= most, f"{done.seconds:.0f} s"
    assert {operation: done.count(operation) for operation in calls} == calls, operations(done)
    found = sum(operation not in POLLS for operation in done.calls)
    assert found <= besides, f"{found} calls besides polls: {operations(done)}"
    assert done.count("DescribeServices") <= max(80, done.seconds / 2), f"{done.count('DescribeServices')} polls"
    if verdict:
        assert done.document["release"]["verdict"] == verdict


def refused(world: World, *words: str) -> None:
    """Plan lists it, deploy refuses it, and neither changes anything."""
    before = world.running("api"), world.running("web")
    plan = world.run("plan")
    assert plan.code == 0
    assert [text for text in plan.document["refusals"] if all(word in text for word in words)], plan.document
    done = world.run("deploy")
    assert (done.code, done.changing) == (5, [])
    for word in words:
        assert word in done.people
    assert (world.running("api"), world.running("web")) == before
