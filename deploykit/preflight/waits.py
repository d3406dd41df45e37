"""Do the deadlines leave time for ECS's own waits, such as the bake time of a blue/green deployment? Pure."""

from __future__ import annotations

from deploykit.config.durations import format_duration
from deploykit.errors import FailedBefore
from deploykit.model.finding import Finding
from deploykit.model.plan import Plan

_TO_START = 300.0  # seconds for new tasks to start and old ones to drain


def check_waits(plan: Plan, deadline: float) -> tuple[Finding, ...]:
    """``rollout-too-long`` where ``deadline`` (seconds) does not exceed ECS's own waits: every rollout would fail."""
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
            f"{services}: ECS takes at least {format_duration(least)} to shift traffic and bake, but the rollout has "
            f"{format_duration(deadline)}",
            hint=f'set `deadline = "{format_duration(least + _TO_START)}"` under [rollout] or a shorter bake time',
        ),
    )


def too_late(left: float, deadline: float, least: float) -> FailedBefore | None:
    """The refusal where ``left`` of the run's ``deadline`` is no more than ``least`` (all in seconds); else None."""
    if left > least:
        return None
    over = "were over before the rollout began"
    short = f"leave less than the {format_duration(least)} that ECS takes to shift traffic and bake"
    return FailedBefore(
        f"the {deadline:.0f} s of the deadline {short if left > 0 else over}; nothing that runs was changed",
        f"give it more time: --deadline {format_duration(1800.0 + least)}",
    )
