"""Rollouts that move requests from one revision to another (blue/green, canary, linear): where one stands. Pure.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
"""

from __future__ import annotations

from dataclasses import replace

from deploykit.edges.aws.ecs_service_deployments import ServiceDeployment
from deploykit.model.observed import Shifting
from deploykit.targets.ecs.state import RolloutState, RolloutView

# What each stage means for who answers; ECS may add others, which are then only named.
_MEANING = {
    "RECONCILE_SERVICE": "clearing away a rollout that was replaced",
    "PRE_SCALE_UP": "before the new tasks",
    "SCALE_UP": "starting the new tasks; the old ones answer",
    "POST_SCALE_UP": "the new tasks run; the old ones answer",
    "TEST_TRAFFIC_SHIFT": "test requests go over to the new tasks",
    "POST_TEST_TRAFFIC_SHIFT": "test requests go to the new tasks",
    "PRODUCTION_TRAFFIC_SHIFT": "requests go over to the new tasks",
    "POST_PRODUCTION_TRAFFIC_SHIFT": "requests go to the new tasks",
    "BAKE_TIME": "the new tasks answer, the old ones stand by",
    "CLEAN_UP": "stopping the old tasks",
}


def shifted(view: RolloutView, record: ServiceDeployment | None, *, back: bool) -> RolloutView:
    """``sight``, which the service's list gave, corrected by ECS's record of the rollout.

    All new tasks run long before ECS is done, and rolloutState is documented for rolling updates only:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    ``back``: the record is that of a rollout that was stopped, and its rollback is what is waited for.
    """
    undecided = (RolloutState.WAITING, RolloutState.STEADY, RolloutState.FAILED)
    if record is None or view.rollout is None or view.state not in undecided:
        return view
    said = f"ECS reports {record.status}" + (f": {record.reason}" if record.reason else "")
    if record.status == ("ROLLBACK_SUCCESSFUL" if back else "SUCCESSFUL"):
        return replace(view, state=RolloutState.STEADY, reason="")
    if record.status.startswith("ROLLBACK") and not back:
        return replace(view, state=RolloutState.ROLLED_BACK, reason=said)
    if record.status in ("STOPPED", "ROLLBACK_FAILED"):
        return replace(view, state=RolloutState.FAILED, reason=said)
    return replace(view, state=RolloutState.WAITING) if view.state is RolloutState.STEADY else view


def stage_words(record: ServiceDeployment, left: float | None) -> str:
    """The stage for people: ECS's name for it, what it means, and the seconds left where they are known."""
    if record.status.startswith("ROLLBACK"):
        return f"{record.status}: requests go back to the old tasks"
    words = [f"{record.stage}: {_MEANING[record.stage]}" if record.stage in _MEANING else record.stage]
    if record.stage == "PRODUCTION_TRAFFIC_SHIFT" and record.weight is not None:
        words.append(f"{record.weight:g} % by now")
    if left is not None:
        words.append(f"up to {left:.0f} s left")
    return ", ".join(words)


def paused_words(record: ServiceDeployment) -> str:
    """What a rollout that a lifecycle hook has paused waits for, and what to type."""
    if not record.paused:
        return ""
    return (
        f"; a lifecycle hook has paused it at {record.stage}: `aws ecs continue-service-deployment "
        f"--service-deployment-arn {record.arn} --hook-id {record.paused}`"
    )


def bake_left(record: ServiceDeployment, shifting: Shifting, since_stage: float) -> float | None:
    """Seconds of the bake time that are left at the most; None in other stages."""
    baking = record.stage == "BAKE_TIME" and record.status == "IN_PROGRESS"
    return max(0.0, shifting.bake - since_stage) if baking else None


def shifting_pause(record: ServiceDeployment | None, left: float | None, since_begin: float) -> float:
    """Seconds until the next look: each is two calls, and what is waited for is minutes; close at the bake's end."""
    if left is not None:
        return min(10.0, max(2.0, left / 3))
    if record is not None and record.stage == "CLEAN_UP":
        return 2.0
    return 2.5 if since_begin < 20 else 5.0
