"""Roll services out, in their order, under one poll: what began, what ECS says of it, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from deploykit.edges.aws.ecs import describe_services
from deploykit.edges.aws.ecs_rollouts import service_rollout
from deploykit.edges.aws.ecs_tasks import list_tasks
from deploykit.edges.aws.session import Aws, AwsRefused, AwsUnreachable, NotAllowed, Throttled
from deploykit.edges.clock import Deadline
from deploykit.model.observed import Definition, ServiceName, ServiceState
from deploykit.model.progress import Progress
from deploykit.targets.ecs.crash import TaskFailure, crash_loop, failures
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.evidence import last_words
from deploykit.targets.ecs.stand import Sight, Stand, look, needs_record, pause, together
from deploykit.targets.ecs.verify import verify

_LAG = 30.0  # seconds after UpdateService in which DescribeServices may not show it yet
_SLOWEST = 30.0  # seconds between polls while AWS throttles or cannot be reached


@dataclass(frozen=True)
class Begun:
    """A rollout under way: what ECS was asked for. ``rollout`` None: follow whichever runs the definition."""

    name: ServiceName
    rollout: str | None
    definition: Definition
    container: str
    state: ServiceState


@dataclass(frozen=True)
class RolloutEnd:
    """How one rollout ended."""

    begun: Begun
    stand: Stand
    reason: str = ""
    failure: TaskFailure | None = None
    last_words: tuple[str, ...] = ()
    desired: int = 0

    @property
    def good(self) -> bool:
        return self.stand is Stand.COMPLETED


@dataclass
class Rollouts:
    """The rollouts of one run; ``begun`` and ``ended`` are what happened so far, also after an exception."""

    aws: Aws
    deadline: Deadline
    crash_after: int
    progress: Progress
    begun: dict[str, Begun] = field(default_factory=dict)
    ended: dict[str, RolloutEnd] = field(default_factory=dict)

    def run(
        self,
        order: Mapping[str, Sequence[str]],
        begin: Callable[[str], Begun],
        stop_at_failure: bool = True,
    ) -> bool:
        """Begin each service of ``order`` once those it waits for have completed; True when all completed.

        With ``stop_at_failure`` the first rollout that fails ends the run and the others stay in flight; without,
        services behind a failed one are begun all the same (an undo puts back what it can).
        """
        watched: dict[str, _Watched] = {}
        slowness = 0.0
        while len(self.ended) < len(order):
            for key in order:
                if key not in self.begun and all(self._passed(other, stop_at_failure) for other in order[key]):
                    begun = self.begun[key] = begin(key)
                    watched[key] = _Watched(begun, self.deadline.clock.monotonic())
                    self.progress.say(f"rolling out {short(begun.definition.arn)}", key)
            active = [item for key, item in watched.items() if key not in self.ended]
            now = self.deadline.clock.monotonic()
            self.deadline.sleep(max(slowness, together([item.pause(now) for item in active])))
            try:
                states = describe_services(self.aws, [item.begun.name for item in active], retry=False)
                slowness = 0.0
                for item in active:
                    self._assess(item, states.get(item.begun.name.key))
            except (Throttled, AwsUnreachable) as trouble:
                slowness = min(_SLOWEST, max(2.0, slowness * 2))
                self.progress.say(f"{trouble.message}; asking again in {slowness:.0f} s")
            if self.deadline.passed:
                for item in active:
                    if item.begun.name.key not in self.ended:
                        waited = f"not done after {self.deadline.seconds:.0f} s: {item.last}{item.complaint}"
                        self._end(item, RolloutEnd(item.begun, Stand.OVERDUE, waited))
            if stop_at_failure and any(not end.good for end in self.ended.values()):
                return False
        return all(end.good for end in self.ended.values())

    def _passed(self, key: str, must_be_good: bool) -> bool:
        end = self.ended.get(key)
        return end is not None and (end.good or not must_be_good)

    def _end(self, item: _Watched, end: RolloutEnd) -> None:
        self.ended[item.begun.name.key] = end
        text = "completed" if end.good else f"{end.stand}: {end.reason}" if end.reason else str(end.stand)
        self.progress.say(text, item.begun.name.key)

    def _assess(self, item: _Watched, state: ServiceState | None) -> None:
        begun = item.begun
        if state is None:
            self._end(item, RolloutEnd(begun, Stand.VANISHED, "the service itself is gone"))
            return
        for message in item.news(state):
            self.progress.say(message, begun.name.key)
        record = self._record(begun) if needs_record(state, begun.rollout) else None
        now = self.deadline.clock.monotonic()
        sight = look(state, begun.rollout, begun.definition.arn, record, item.older(now))
        item.see(state, sight, now)
        self.progress.live(begun.name.key, item.last)
        if sight.stand is Stand.STEADY:
            self._verify(item, state)
        elif sight.stand is Stand.WAITING:
            if item.may_have_failed(sight, now) and (crash := self._crash(begun, sight, self.crash_after)):
                words = last_words(self.aws, begun.definition, crash)
                self._end(item, RolloutEnd(begun, Stand.CRASHED, crash.reason, crash, words, state.desired))
        else:
            crash = self._crash(begun, sight, 1)
            words = last_words(self.aws, begun.definition, crash) if crash else ()
            self._end(item, RolloutEnd(begun, sight.stand, sight.reason, crash, words, state.desired))

    def _verify(self, item: _Watched, state: ServiceState) -> None:
        begun = item.begun
        try:
            verified = verify(self.aws, begun.name, state, begun.definition, begun.container)
        except NotAllowed as refusal:
            self.progress.warn(
                f"tasks and targets cannot be looked at ({refusal.action}); ECS's word only", begun.name.key
            )
        else:
            if verified.wrong:
                self._end(item, RolloutEnd(begun, Stand.FAILED, verified.wrong, desired=state.desired))
                return
            if verified.waits_for:
                item.last = f"waiting for {verified.waits_for}"
                self.progress.live(begun.name.key, item.last)
                return
        self._end(item, RolloutEnd(begun, Stand.COMPLETED, desired=state.desired))

    def _crash(self, begun: Begun, sight: Sight, crash_after: int) -> TaskFailure | None:
        rollout = sight.rollout.id if sight.rollout else begun.rollout
        if rollout is None:
            return None
        try:
            stopped = list_tasks(self.aws, begun.name, "STOPPED", retry=False)
        except NotAllowed:
            return None  # the deadline still ends a rollout that never completes
        return crash_loop(failures(stopped, rollout), crash_after)

    def _record(self, begun: Begun) -> str | None:
        try:
            record = service_rollout(self.aws, begun.name, begun.definition.arn)
        except (NotAllowed, AwsRefused):
            return None  # the service's own list then has to do
        return record.status if record else None


class _Watched:
    """What was last seen of one rollout."""

    def __init__(self, begun: Begun, now: float) -> None:
        self.begun = begun
        self.last = "waiting for ECS"
        self._since = self._changed = now
        self._counts: tuple[int, ...] = ()
        self._full = self._alone = False
        self._failed = 0
        self._looked = now
        self._seen = {identifier for identifier, _, _ in begun.state.events}
        self._told = False
        # What keeps ECS from going on, in its own words:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
        self.complaint = ""

    def pause(self, now: float) -> float:
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
        self._told = bool(fresh)
        prefix = f"(service {state.name}) "
        news = [message.removeprefix(prefix) for _, _, message in reversed(fresh)]
        for message in news:
            if "unable to" in message:
                self.complaint = f"; ECS {message.rstrip('.')}"
        return news

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
        """True where stopped tasks are worth a look: a count rose, ECS spoke, or nothing moves for ten seconds.

        Services without a circuit breaker do not always count their failed tasks at once, so the count alone
        would miss a crash loop.
        """
        rollout = sight.rollout
        if rollout is None:
            return False
        more = rollout.failed > self._failed
        idle = not self._full and now - self._looked >= 10
        if more or self._told or idle:
            self._failed, self._looked = rollout.failed, now
            return True
        return False
