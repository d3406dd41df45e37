"""Roll services out, in their order, under one poll: what began, what ECS says of it, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deploykit.edges.aws.ecs import describe_services
from deploykit.edges.aws.ecs_rollouts import ServiceRollout, service_rollout
from deploykit.edges.aws.ecs_tasks import list_tasks
from deploykit.edges.aws.session import Aws, AwsRefused, AwsUnreachable, NotAllowed, Throttled
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError
from deploykit.model.observed import ServiceState
from deploykit.model.progress import Progress
from deploykit.targets.ecs.crash import TaskFailure, crash_loop, failures
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.events import for_people
from deploykit.targets.ecs.evidence import last_words
from deploykit.targets.ecs.records import Records
from deploykit.targets.ecs.shifting import shifted
from deploykit.targets.ecs.stand import Sight, Stand, look, needs_record, together
from deploykit.targets.ecs.verify import verify
from deploykit.targets.ecs.watched import Begun, Watched

# Seconds for which a task runs at least before the load balancer sends it requests: a target is healthy after its first
# good check, and checks are 5 to 300 s apart.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
_ANSWERS_AFTER = 5.0
_SLOWEST = 30.0  # seconds between polls while AWS throttles or cannot be reached


@dataclass(frozen=True)
class RolloutEnd:
    """How one rollout ended."""

    begun: Begun
    stand: Stand
    reason: str = ""
    failure: TaskFailure | None = None
    last_words: tuple[str, ...] = ()
    desired: int = 0
    running: int = 0  # tasks of it that ran when it ended

    @property
    def served(self) -> bool:
        """True where its tasks may have answered requests, and so may have filled a cache."""
        if self.failure is None or self.running:
            return True
        started, ended = self.failure.task.started, self.failure.task.ended
        return bool(started and ended and (ended - started).total_seconds() >= _ANSWERS_AFTER)

    @property
    def good(self) -> bool:
        return self.stand is Stand.COMPLETED


@dataclass
class Rollouts:
    """The rollouts of one run; ``begun`` and ``ended`` are what happened so far, also after an exception.

    ``refused``: what kept a service from being begun, where the others are gone on with all the same.
    """

    aws: Aws
    deadline: Deadline
    crash_after: int
    progress: Progress
    begun: dict[str, Begun] = field(default_factory=dict)
    ended: dict[str, RolloutEnd] = field(default_factory=dict)
    refused: dict[str, DeploykitError] = field(default_factory=dict)

    def run(
        self,
        order: Mapping[str, Sequence[str]],
        begin: Callable[[str], Begun],
        stop_at_failure: bool = True,
    ) -> bool:
        """Begin each service of ``order`` once those it waits for have completed; True when all completed.

        With ``stop_at_failure`` the first rollout that fails ends the run and the others stay in flight; without,
        services behind or beside one that failed, or could not be begun, are begun all the same (an undo puts back what
        it can).
        """
        watched: dict[str, Watched] = {}
        records = Records(self.aws, self.progress)
        slowness = 0.0
        while len(self.ended) + len(self.refused) < len(order):
            for key in order:
                if self._due(key, order[key], stop_at_failure):
                    try:
                        begun = self.begun[key] = begin(key)
                    except DeploykitError as error:
                        if stop_at_failure:
                            raise
                        self.refused[key] = error
                        self.progress.warn(error.message, key)
                        continue
                    watched[key] = Watched(begun, self.deadline.clock.monotonic())
                    self.progress.say(f"rolling out {short(begun.definition.arn)}", key)
            active = [item for key, item in watched.items() if key not in self.ended]
            if not active:
                continue
            now = self.deadline.clock.monotonic()
            self.deadline.sleep(max(slowness, together([item.pause(now) for item in active])))
            try:
                states = describe_services(self.aws, [item.begun.name for item in active], retry=False)
                found = records.look(active, states)
                slowness = 0.0
                for item in active:
                    self._assess(item, states.get(item.key), records, found.get(item.key))
            except (Throttled, AwsUnreachable) as trouble:
                slowness = min(_SLOWEST, max(2.0, slowness * 2))
                self.progress.say(f"{trouble.message}; asking again in {slowness:.0f} s")
            if self.deadline.passed:
                for item in active:
                    if item.key not in self.ended:
                        waited = f"not done after {self.deadline.seconds:.0f} s: {item.last}{item.complaint}"
                        self._end(item, RolloutEnd(item.begun, Stand.OVERDUE, waited))
            if stop_at_failure and any(not end.good for end in self.ended.values()):
                return False
        return not self.refused and all(end.good for end in self.ended.values())

    def _due(self, key: str, after: Sequence[str], must_be_good: bool) -> bool:
        """True where a service is to be begun now: those that it comes ``after`` have come to their end."""
        if key in self.begun or key in self.refused:
            return False
        if must_be_good:
            return all(other in self.ended and self.ended[other].good for other in after)
        return all(other in self.ended or other in self.refused for other in after)

    def _end(self, item: Watched, end: RolloutEnd) -> None:
        self.ended[item.key] = end
        text = "completed" if end.good else f"{end.stand}: {end.reason}" if end.reason else str(end.stand)
        self.progress.say(text, item.key)

    def _assess(
        self, item: Watched, state: ServiceState | None, records: Records, record: ServiceRollout | None
    ) -> None:
        begun = item.begun
        if state is None:
            self._end(item, RolloutEnd(begun, Stand.VANISHED, "the service itself is gone"))
            return
        for message in for_people(item.news(state)):
            self.progress.say(message, begun.name.key)
        back = begun.rollout is None
        status = record.status if record and not back else None
        now = self.deadline.clock.monotonic()
        wanted, older = begun.definition.arn, item.older(now)
        if status is None and needs_record(state, begun.rollout, wanted, older):
            status = self._status(begun)
        sight = shifted(look(state, begun.rollout, wanted, status, older), record, back=back)
        item.see(state, sight, now)
        item.enter(record, now)
        self.progress.live(begun.name.key, item.last)
        if sight.stand is Stand.STEADY and self._verify(item, state, records, record):
            return
        if sight.stand in (Stand.STEADY, Stand.WAITING):
            # tasks may crash after ECS has called the rollout complete, which it never takes back
            if item.may_have_failed(sight, now) and (crash := self._crash(item, sight, self.crash_after)):
                words = last_words(self.aws, begun.definition, crash)
                running = sight.rollout.running if sight.rollout else 0
                self._end(item, RolloutEnd(begun, Stand.CRASHED, crash.reason, crash, words, state.desired, running))
        else:
            crash = self._crash(item, sight, 1)
            words = last_words(self.aws, begun.definition, crash) if crash else ()
            self._end(item, RolloutEnd(begun, sight.stand, sight.reason, crash, words, state.desired))

    def _verify(self, item: Watched, state: ServiceState, records: Records, record: ServiceRollout | None) -> bool:
        """Look at what ECS calls complete; False while that is still to be waited for."""
        begun = item.begun
        groups = records.groups(item, state, record if begun.rollout else None)
        try:
            verified = verify(self.aws, begun.name, state, begun.definition, begun.container, groups)
        except NotAllowed as refusal:
            self.progress.warn(
                f"tasks and targets cannot be looked at ({refusal.action}); ECS's word only", begun.name.key
            )
        else:
            if verified.wrong:
                self._end(item, RolloutEnd(begun, Stand.FAILED, verified.wrong, desired=state.desired))
                return True
            if verified.waits_for:
                item.last = f"waiting for {verified.waits_for}"
                self.progress.live(begun.name.key, item.last)
                return False
        self._end(item, RolloutEnd(begun, Stand.COMPLETED, desired=state.desired))
        return True

    def _crash(self, item: Watched, sight: Sight, crash_after: int) -> TaskFailure | None:
        rollout = sight.rollout.id if sight.rollout else item.begun.rollout
        if rollout is None:
            return None
        try:
            stopped = list_tasks(self.aws, item.begun.name, "STOPPED", retry=False)
        except NotAllowed:
            stopped = []  # the deadline still ends a rollout that never completes
        found = failures(stopped, rollout)
        item.looked(len(found), self.deadline.clock.monotonic())
        return crash_loop(found, crash_after)

    def _status(self, begun: Begun) -> str | None:
        try:
            record = service_rollout(self.aws, begun.name, begun.definition.arn)
        except (NotAllowed, AwsRefused):
            return None  # the service's own list then has to do
        return record.status if record else None
