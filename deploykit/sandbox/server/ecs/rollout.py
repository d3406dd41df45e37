"""What a rolling deployment does next: numbers in, numbers out.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Counts:
    """The tasks of one service now; live ones have not been asked to stop."""

    desired: int
    new: int  # live tasks of the primary deployment
    new_healthy: int
    old: int  # live tasks of every other deployment
    old_healthy: int
    stopping: int  # asked to stop, not stopped yet


@dataclass(frozen=True)
class Step:
    """How many tasks to start and to stop, and whether the deployment is complete."""

    start: int = 0
    stop_new: int = 0
    stop_old: int = 0
    complete: bool = False


def next_step(counts: Counts, maximum_percent: int, minimum_percent: int) -> Step:
    """One step of the scheduler toward ``counts.desired`` healthy tasks of the primary deployment.

    Starts no more than ``maximum_percent`` of desired allows (rounded down) and stops old tasks only while
    ``minimum_percent`` of desired (rounded up) stay healthy. At 100 percent or less a task that is still
    stopping counts, so that a service with a single writer never has two. Where there is no room for a new task, an old
    one that is not healthy makes it, such as that of a rollout which was superseded on its way:
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html (minimumHealthyPercent)
    """
    most = max(1 if counts.desired else 0, counts.desired * maximum_percent // 100)
    least = -(-counts.desired * minimum_percent // 100)
    holding = counts.stopping if maximum_percent <= 100 else 0
    start = max(0, min(counts.desired - counts.new, most - counts.new - counts.old - holding))
    spare = max(0, counts.new_healthy + counts.old_healthy - least)
    unhealthy = counts.old - counts.old_healthy
    stop_old = min(counts.old, spare + (unhealthy if counts.new_healthy else 0))
    if start < counts.desired - counts.new:
        stop_old = max(stop_old, min(1, unhealthy))
    if counts.new_healthy >= counts.desired:
        stop_old = counts.old
    stop_new = max(0, counts.new - counts.desired)
    complete = counts.new == counts.desired == counts.new_healthy and counts.old == 0
    return Step(start, stop_new, stop_old, complete)


def breaker_threshold(service: dict[str, Any]) -> int:
    """Failed tasks that trip the circuit breaker: half of desired, at least 3, at most 200.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
    """
    return min(200, max(3, math.ceil(int(service.get("desiredCount", 0)) * 0.5)))


def breaker(service: dict[str, Any]) -> dict[str, Any]:
    """The service's deploymentCircuitBreaker, empty when it has none."""
    configuration = service.get("deploymentConfiguration") or {}
    found: dict[str, Any] = configuration.get("deploymentCircuitBreaker") or {}
    return found


def failure_pause(failed: int) -> float:
    """Seconds before a failed task is replaced: longer with every failure in a row, as ECS throttles restarts.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
    """
    return float(min(4.0, 0.5 * 1.6 ** max(0, failed - 1)))
