"""Rollouts side by side under one poll, each begun once those before it have completed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from deploykit.edges.aws.ecs import describe_services
from deploykit.edges.aws.session import AwsUnreachable, Throttled
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import DeploykitError
from deploykit.ledger.journal import Run
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.deployments import ServiceDeployments
from deploykit.targets.ecs.rollout import EndedRollout, StartedRollout
from deploykit.targets.ecs.state import together
from deploykit.targets.ecs.watch import RolloutWatch


def rollout_deadline(run: Run) -> Deadline:
    """What the rollouts of one phase have: the configuration's deadline, and no more than is left of the run's."""
    given = run.configuration.rollout.deadline + run.plan.patience
    return Deadline(run.world.clock, min(run.deadline.left, given))


class Rollouts:
    """The poll of several rollouts: ``due`` yields every service whose turn it is, and polls until all have ended.

    ``sequence``: each service with those that come before it. The first rollout that fails ends the poll and the
    others stay in flight; with ``regardless``, services behind or beside one that failed, or could not be begun, are
    begun all the same (an undo restores what it can). ``started``, ``ended`` and ``refused`` are what happened so far.
    """

    def __init__(self, run: Run, sequence: Mapping[str, Sequence[str]], *, regardless: bool = False) -> None:
        self.started: dict[str, StartedRollout] = {}
        self.ended: dict[str, EndedRollout] = {}
        self.refused: dict[str, DeploykitError] = {}
        self.deadline = rollout_deadline(run)
        self._run = run
        self._sequence = sequence
        self._regardless = regardless
        self._watches: dict[str, RolloutWatch] = {}
        self._deployments = ServiceDeployments(run.world)

    @property
    def good(self) -> bool:
        """True where every service was begun and every rollout completed."""
        return len(self.ended) == len(self._sequence) and all(end.good for end in self.ended.values())

    def due(self) -> Iterator[str]:
        """Each service to begin now, by key; the caller calls ``start`` or ``refuse`` for it before it asks on."""
        while len(self.ended) + len(self.refused) < len(self._sequence):
            yield from (key for key in self._sequence if self._is_due(key))
            active = [watch for key, watch in self._watches.items() if key not in self.ended]
            if active:
                self._poll(active)
            if not self._regardless and any(not end.good for end in self.ended.values()):
                return

    def start(self, key: str, started: StartedRollout) -> None:
        """The rollout of service ``key`` was begun."""
        self.started[key] = started
        crash_after = self._run.configuration.rollout.crash_after
        self._watches[key] = RolloutWatch(started, self._run.world, self._deployments, crash_after)
        self._run.journal.where[key] = started.where()
        self._run.world.progress.say(f"rolling out {short(started.definition.arn)}", key)

    def refuse(self, key: str, error: DeploykitError) -> None:
        """The rollout of service ``key`` could not be begun; the others continue."""
        self.refused[key] = error
        self._run.world.progress.warn(error.message, key)

    def _is_due(self, key: str) -> bool:
        if key in self.started or key in self.refused:
            return False
        before = self._sequence[key]
        if self._regardless:
            return all(other in self.ended or other in self.refused for other in before)
        return all(other in self.ended and self.ended[other].good for other in before)

    def _poll(self, active: Sequence[RolloutWatch]) -> None:
        """Until the rollout of one of ``active`` has ended, or the deadline has passed."""
        world, known = self._run.world, len(self.ended)

        def look() -> bool | Waiting:
            try:
                states = describe_services(world.aws, [watch.started.name for watch in active], retry=False)
                found = self._deployments.look([watch.started for watch in active], states)
                for watch in active:
                    self._end(watch, watch.update(states.get(watch.key), found.get(watch.key)))
            except (Throttled, AwsUnreachable):
                if len(self.ended) == known:  # else the next ones are due
                    raise
            return len(self.ended) > known or Waiting(", ".join(f"{watch.key}: {watch.last}" for watch in active))

        def pause(_: float) -> float:
            now = world.clock.monotonic()
            return together([watch.pause(now) for watch in active])

        with self._run.journal.waiting():
            seen = Poll("ECS", self.deadline, pause, world.progress).until(look)
        if isinstance(seen, Overdue) or self.deadline.passed:
            for watch in active:
                if watch.key not in self.ended:
                    self._end(watch, watch.overdue(self.deadline.seconds))

    def _end(self, watch: RolloutWatch, ended: EndedRollout | None) -> None:
        if ended is None:
            return
        self.ended[watch.key] = ended
        self._run.journal.where[watch.key] = watch.started.where(ended)
        text = "completed" if ended.good else f"{ended.state}: {ended.reason}" if ended.reason else str(ended.state)
        self._run.world.progress.say(text, watch.key)
