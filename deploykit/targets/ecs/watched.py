"""One rollout under way: what was asked for, and what was last seen of it."""

from __future__ import annotations

from dataclasses import dataclass

from deploykit.edges.aws.ecs_rollouts import ServiceRollout
from deploykit.model.observed import Definition, ServiceName, ServiceState
from deploykit.targets.ecs.events import brief
from deploykit.targets.ecs.shifting import bake_left, paused_words, shifting_pause, stage_words
from deploykit.targets.ecs.stand import Sight, pause
from deploykit.targets.ecs.suspicion import Suspicion

_LAG = 30.0  # seconds after UpdateService in which DescribeServices may not show it yet


@dataclass(frozen=True)
class Begun:
    """A rollout under way: what ECS was asked for.

    ``rollout`` None: follow whichever runs the definition; ``record`` is then that of the rollout that was stopped.
    """

    name: ServiceName
    rollout: str | None
    definition: Definition
    container: str
    state: ServiceState
    record: str = ""


class Watched:
    """What was last seen of one rollout."""

    def __init__(self, begun: Begun, now: float) -> None:
        self.begun = begun
        self.last = "waiting for ECS"
        self._since = self._changed = now
        self._counts: tuple[int, ...] = ()
        self._full = self._alone = False
        self._suspicion = Suspicion(now)
        self._seen = {identifier for identifier, _, _ in begun.state.events}
        self._news: list[str] = []
        # What keeps ECS from going on, in its own words:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
        self.complaint = ""
        self.record = begun.record  # the ARN of ECS's record, where requests are moved
        self._recorded: ServiceRollout | None = None
        self._stage_since = now

    @property
    def key(self) -> str:
        return self.begun.name.key

    def pause(self, now: float) -> float:
        if self.begun.state.shifting is not None:
            return shifting_pause(self._recorded, self._bake_left(now), now - self._since)
        return pause(self._full, self._alone, now - self._since, now - self._changed)

    def older(self, now: float) -> frozenset[str]:
        """The rollouts that were there before this one, while answers may still be from then.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html ("eventual consistency")
        """
        if self.begun.rollout is None or now - self._since > _LAG:
            return frozenset()
        return frozenset(rollout.id for rollout in self.begun.state.rollouts) - {self.begun.rollout}

    def news(self, state: ServiceState) -> list[str]:
        """ECS's events since the last look, oldest first, without the service's name in front."""
        fresh = [event for event in state.events if event[0] not in self._seen]
        self._seen.update(identifier for identifier, _, _ in fresh)
        prefix = f"(service {state.name}) "
        self._news = [message.removeprefix(prefix) for _, _, message in reversed(fresh)]
        for message in self._news:
            if "unable to" in message:
                self.complaint = f"; ECS {brief(message).rstrip('.')}"
        return self._news

    def see(self, state: ServiceState, sight: Sight, now: float) -> None:
        rollout = sight.rollout
        if rollout is None:
            return
        older = sum(other.running for other in state.rollouts if other.id != rollout.id)
        counts = (rollout.desired, rollout.running, rollout.pending, rollout.failed, older)
        if counts != self._counts:
            self._counts, self._changed = counts, now
        self._full, self._alone = rollout.running == rollout.desired, not older
        failed = f", {rollout.failed} failed" if rollout.failed else ""
        draining = f", {older} of other revisions" if older else ""
        self.last = f"{rollout.running} of {rollout.desired} running, {rollout.pending} pending{failed}{draining}"

    def may_have_failed(self, sight: Sight, now: float) -> bool:
        """True where stopped tasks are worth a look."""
        return sight.rollout is not None and self._suspicion.worth_a_look(sight.rollout, self._news, now)

    def looked(self, failures: int, now: float) -> None:
        """Stopped tasks were looked at: so many of this rollout had failed."""
        self._suspicion.looked(failures, now)

    def enter(self, record: ServiceRollout | None, now: float) -> None:
        """Take in ECS's record of the rollout, where there is one: its stage goes in front of the counts."""
        if record is None:
            return
        before = self._recorded
        if before is None or record.stage != before.stage:
            self._stage_since = now
        paused = paused_words(record)
        if paused:
            self.complaint = paused
        elif before is not None and before.paused:
            self.complaint = ""
        self._recorded = record
        if record.stage:
            self.last = f"{stage_words(record, self._bake_left(now))}; {self.last}"

    def _bake_left(self, now: float) -> float | None:
        shifting = self.begun.state.shifting
        if self._recorded is None or shifting is None:
            return None
        return bake_left(self._recorded, shifting, now - self._stage_since)
