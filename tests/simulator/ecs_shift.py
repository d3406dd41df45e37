"""Blue/green, linear and canary rollouts: two revisions side by side, and the requests moved from one to the other.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.simulator.ecs_state import EcsState, Rollout, Service, Task
from tests.simulator.ecs_tasks import Tasks

Json = dict[str, Any]
STAGE = 5.0
"""Seconds of a stage that has no work of its own; not documented."""
STAGES = (
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
)


def shifts(service: Service) -> bool:
    """Whether the service's rollouts move requests instead of replacing task by task."""
    return bool(service.configuration.get("strategy", "ROLLING") != "ROLLING")


def steps(service: Service) -> list[tuple[float, float]]:
    """Percent of the requests that the new revision gets at each step, and the seconds until the next.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html
    """
    settings = service.configuration
    if settings["strategy"] == "CANARY":
        canary = settings.get("canaryConfiguration", {})
        wait = 60.0 * int(canary.get("canaryBakeTimeInMinutes", 10))
        return [(float(canary.get("canaryPercent", 5.0)), wait), (100.0, 0.0)]
    if settings["strategy"] == "LINEAR":
        linear = settings.get("linearConfiguration", {})
        step, wait = float(linear.get("stepPercent", 10.0)), 60.0 * int(linear.get("stepBakeTimeInMinutes", 6))
        shares = [min(100.0, step * number) for number in range(1, math.ceil(100 / step) + 1)]
        return [(share, wait if share < 100 else 0.0) for share in shares]
    return [(100.0, 0.0)]


class Shifting:
    """Takes one rollout of a service through its stages; ``start`` launches tasks, ``reconcile`` is the scheduler's."""

    def __init__(
        self,
        state: EcsState,
        tasks: Tasks,
        start: Callable[[Service, Rollout, int], None],
        reconcile: Callable[[Service], None],
    ) -> None:
        self.state, self.tasks, self.start, self.reconcile = state, tasks, start, reconcile

    def begin(self, service: Service, rollout: Rollout, previous: list[Rollout]) -> None:
        """Give a new rollout the target group that does not serve; the first of a service serves at once."""
        if not shifts(service):
            return
        if service.production is None and previous:
            service.production = previous[0]
        balanced = service.body.get("loadBalancers", [])
        if balanced:
            groups = [balanced[0]["targetGroupArn"], balanced[0]["advancedConfiguration"]["alternateTargetGroupArn"]]
            serving = service.production.target_group or groups[0] if service.production else groups[1]
            rollout.target_group = groups[1] if serving == groups[0] else groups[0]
            service.revision_groups[rollout.revision_arn] = rollout.target_group
        if service.production is None:
            self.serve(service, rollout)

    def serve(self, service: Service, rollout: Rollout) -> None:
        """All requests go to this rollout from now on."""
        service.production, service.weights = rollout, {rollout.id: 100.0}

    def first_move(self, service: Service, rollout: Rollout) -> None:
        if shifts(service) and service.production is not rollout:
            self._enter(service, rollout, STAGES[0] if self._strays(service, rollout) else STAGES[1])

    def holds(self, service: Service, primary: Rollout) -> bool:
        """Whether a rollout is in a stage in which old tasks must stay."""
        record = primary.record
        return bool(record["status"] == "IN_PROGRESS" and record.get("lifecycleStage", "CLEAN_UP") != "CLEAN_UP")

    def tend(self, service: Service, primary: Rollout) -> None:
        """One look of the scheduler: keep what runs whole, and go on where a stage's own work is done."""
        stage = primary.record["lifecycleStage"]
        kept = [service.production, primary] if STAGES.index(stage) >= 2 else [service.production]
        for rollout in filter(None, kept):
            mine = self._live(service, rollout)
            for task in sorted(mine, key=lambda task: task.healthy)[: max(0, len(mine) - service.desired)]:
                self.tasks.stop(task, "ServiceSchedulerInitiated", f"Scaling activity initiated by {rollout.id}")
            if len(mine) < service.desired:
                self.start(service, rollout, service.desired - len(mine))
        if stage == "RECONCILE_SERVICE" and not self._strays(service, primary):
            self._enter(service, primary, "PRE_SCALE_UP")
        mine = self._live(service, primary)
        if stage == "SCALE_UP" and len(mine) == service.desired and all(task.healthy for task in mine):
            self._enter(service, primary, "POST_SCALE_UP")

    def _live(self, service: Service, rollout: Rollout) -> list[Task]:
        tasks = self.state.tasks_of(service)
        return [task for task in tasks if task.deployment is rollout and task.desired_status == "RUNNING"]

    def _strays(self, service: Service, primary: Rollout) -> list[Task]:
        """Tasks of rollouts that neither serve nor are the newest: their target group is needed."""
        kept = (primary, service.production)
        return [t for t in self.state.tasks_of(service) if t.deployment not in kept and t.last_status != "STOPPED"]

    def _enter(self, service: Service, rollout: Rollout, stage: str) -> None:
        if rollout.record["status"] != "IN_PROGRESS" or rollout.status != "PRIMARY":
            return
        rollout.record.update(lifecycleStage=stage, updatedAt=self.state.clock.stamp)
        hooks = service.configuration.get("lifecycleHooks", [])
        hook = next((h for h in hooks if h.get("targetType") == "PAUSE" and stage in h["lifecycleStages"]), None)
        if hook is None:
            self._work(service, rollout, stage)
            return
        # https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentLifecycleHookDetail.html
        details = {"hookId": self.state.fresh_id(), "targetType": "PAUSE", "status": "AWAITING_ACTION"}
        rollout.record["lifecycleHookDetails"] = [details]

    def go_on(self, service: Service, rollout: Rollout) -> None:
        """ContinueServiceDeployment: a paused stage does its work."""
        rollout.record["lifecycleHookDetails"][0]["status"] = "SUCCEEDED"
        self._work(service, rollout, rollout.record["lifecycleStage"])

    def _work(self, service: Service, rollout: Rollout, stage: str) -> None:
        if stage == "RECONCILE_SERVICE":
            for task in self._strays(service, rollout):
                self.tasks.stop(task, "ServiceSchedulerInitiated", "Replaced by a newer service deployment")
        elif stage == "PRODUCTION_TRAFFIC_SHIFT":
            self._shift(service, rollout, steps(service))
        elif stage == "BAKE_TIME":
            self._later(service, rollout, 60.0 * int(service.configuration.get("bakeTimeInMinutes", 0)))
        elif stage == "CLEAN_UP":
            self.serve(service, rollout)
            self.reconcile(service)
        elif stage == "SCALE_UP":
            self.tend(service, rollout)
        else:
            self._later(service, rollout, STAGE)

    def _later(self, service: Service, rollout: Rollout, seconds: float) -> None:
        following = STAGES[STAGES.index(rollout.record["lifecycleStage"]) + 1]
        self.state.clock.after(seconds, lambda: self._enter(service, rollout, following))

    def _shift(self, service: Service, rollout: Rollout, left: list[tuple[float, float]]) -> None:
        if rollout.record["status"] != "IN_PROGRESS" or rollout.status != "PRIMARY":
            return
        (share, wait), *rest = left
        old = service.production
        service.weights = {rollout.id: share, **({old.id: 100.0 - share} if old else {})}
        rollout.record["updatedAt"] = self.state.clock.stamp
        if rest:
            self.state.clock.after(wait + STAGE, lambda: self._shift(service, rollout, rest))
        else:
            self._later(service, rollout, STAGE)
