"""Do the deadlines leave time for ECS's own waits? Blue/green and its kin run both revisions for a bake time. Pure."""

from __future__ import annotations

from deploykit.config.durations import format_duration
from deploykit.errors import FailedBefore
from deploykit.model.finding import Finding
from deploykit.model.plan import Plan

_TO_START = 300.0  # seconds that the advice adds for tasks to start and old ones to drain


def check_waits(plan: Plan, deadline: float) -> tuple[Finding, ...]:
    """``rollout-too-long`` where ``deadline`` (seconds) is no longer than ECS's own waits: rollouts could only fail."""
    least = plan.least_seconds
    if least < deadline:
        return ()
    observed = plan.observed
    moving = {key: shifting.strategy for key in plan.sequence if (shifting := observed[key].state.shifting)}
    services = ", ".join(f"{key} ({strategy})" for key, strategy in moving.items())
    return (
        Finding(
            "rollout-too-long",
            "error",
            "high",
            ", ".join(moving),
            f"{services}: moving requests and baking takes ECS {format_duration(least)} at least, and the rollout has "
            f"{format_duration(deadline)}",
            hint=f'set `deadline = "{format_duration(least + _TO_START)}"` under [rollout] or a shorter bake time',
        ),
    )


def too_late(left: float, deadline: float, least: float) -> FailedBefore | None:
    """Why no rollout begins: what is ``left`` of the run's ``deadline`` is no more than ``least`` (all in seconds)."""
    if left > least:
        return None
    over = "were over before the rollout began"
    short = f"leave less than the {format_duration(least)} that ECS takes to move requests and to bake"
    return FailedBefore(
        f"the {deadline:.0f} s of the deadline {short if left > 0 else over}; nothing that runs was changed",
        f"give it more time: --deadline {format_duration(1800.0 + least)}",
    )
