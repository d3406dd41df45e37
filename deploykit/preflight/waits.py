"""ECS's own waits against the deadlines: a service that moves requests runs both revisions for its bake time. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from deploykit.config.durations import format_duration
from deploykit.errors import FailedBefore
from deploykit.model.observed import ObservedService

_TO_START = 300.0  # seconds that the advice adds for tasks to start and old ones to drain


def waits(observed: Mapping[str, ObservedService], order: Mapping[str, tuple[str, ...]]) -> float:
    """Seconds that these rollouts take at least, one after the other where ``order`` says so, for ECS's own waits."""

    def until_done(key: str) -> float:
        shifting = observed[key].state.shifting
        return max(map(until_done, order[key]), default=0.0) + (shifting.least if shifting else 0.0)

    return max(map(until_done, order), default=0.0)


def too_long(observed: Mapping[str, ObservedService], order: Mapping[str, tuple[str, ...]], deadline: float) -> str:
    """Why these rollouts could only fail, and what to change; empty where ``deadline`` (seconds) leaves them time."""
    least = waits(observed, order)
    if least < deadline:
        return ""
    moving = {key: shifting.strategy for key in order if (shifting := observed[key].state.shifting) is not None}
    services = ", ".join(f"{key} ({strategy})" for key, strategy in moving.items())
    return (
        f"{services}: moving requests and baking takes ECS {format_duration(least)} at least, and the rollout has "
        f'{format_duration(deadline)}; set `deadline = "{format_duration(least + _TO_START)}"` under [rollout] or a '
        "shorter bake time"
    )


def too_late(left: float, deadline: float, least: float) -> FailedBefore | None:
    """Why nothing is begun: of the run's ``deadline`` no more than ECS's own waits is ``left`` (all in seconds)."""
    if left > least:
        return None
    over = "were over before the rollout began"
    short = f"leave less than the {format_duration(least)} that ECS takes to move requests and to bake"
    return FailedBefore(
        f"the {deadline:.0f} s of the deadline {short if left > 0 else over}; nothing that runs was changed",
        f"give it more time: --deadline {format_duration(1800.0 + least)}",
    )
