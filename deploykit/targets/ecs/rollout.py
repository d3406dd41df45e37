"""One service's rollout: as it was started, and as it ended."""

from __future__ import annotations

from dataclasses import dataclass

from deploykit.model.observed import Definition, ServiceName, ServiceState
from deploykit.targets.ecs.crash import TaskFailure
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.state import RolloutState

# Seconds for which a task runs at least before the load balancer sends it requests: a target is healthy after its first
# good check, and checks are 5 to 300 s apart.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
_ANSWERS_AFTER = 5.0


@dataclass(frozen=True)
class StartedRollout:
    """What ECS was asked for.

    ``rollout`` None: follow whichever runs the definition; ``deployment`` is then the ARN of the service deployment
    that was stopped. ``back``: an undo's.
    """

    name: ServiceName
    rollout: str | None
    definition: Definition
    container: str
    state: ServiceState
    deployment: str = ""
    back: bool = False

    def where(self, ended: EndedRollout | None = None) -> str:
        """Where the service is by now, in words."""
        revision = short(self.definition.arn)
        if ended is not None and ended.good:
            return f"runs {revision}{' again' if self.back else ''}"
        if ended is not None and ended.state is RolloutState.SUPERSEDED and not self.back:
            return f"was taken over on its way to {revision}"
        return f"is on its way {'back ' if self.back else ''}to {revision}"


@dataclass(frozen=True)
class EndedRollout:
    """How a rollout ended."""

    started: StartedRollout
    state: RolloutState
    reason: str = ""
    failure: TaskFailure | None = None
    last_words: tuple[str, ...] = ()
    desired: int = 0
    running: int = 0  # tasks of it that ran when it ended

    @property
    def good(self) -> bool:
        return self.state is RolloutState.COMPLETED

    @property
    def served(self) -> bool:
        """True where its tasks may have answered requests, and so may have filled a cache."""
        if self.failure is None or self.running:
            return True
        started, ended = self.failure.task.started, self.failure.task.ended
        return bool(started and ended and (ended - started).total_seconds() >= _ANSWERS_AFTER)
