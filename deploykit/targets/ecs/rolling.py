"""The writes to ECS: begin a rollout, and put back exactly what ran when the release began."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from deploykit.edges.aws.ecs import describe_services, register_definition, tag_definition, update_service
from deploykit.edges.aws.ecs_rollouts import service_rollout, stop_rollout
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.edges.clock import Deadline
from deploykit.errors import FailedBefore
from deploykit.model.observed import Definition, ObservedService, ServiceName, ServiceState
from deploykit.model.plan import Change, Plan, released_service
from deploykit.model.progress import Progress
from deploykit.model.release import ReleasedService
from deploykit.targets.ecs.definition import registration, short
from deploykit.targets.ecs.rollouts import Rollouts
from deploykit.targets.ecs.stand import Stand
from deploykit.targets.ecs.watched import Begun
from deploykit.targets.sequence import reversed_order

_STOP_SHOWS = 15  # seconds until a stopped rollout has left its place, at the longest
_REQUESTS_BACK = 60  # the same where ECS moves requests back first


@dataclass
class Rolling:
    """One plan's rollouts, forwards and back.

    ``forward`` and ``back`` tell what was begun and how it ended; ``touched`` is true from the first UpdateService on.
    """

    aws: Aws
    plan: Plan
    forward: Rollouts
    back: Rollouts | None = None
    touched: bool = False
    registered: dict[str, Definition] = field(default_factory=dict)
    _stopped: set[str] = field(default_factory=set, init=False)

    def roll_out(self) -> bool:
        """Begin every change in its order and follow it to its end; True when all completed."""
        return self.forward.run(self.plan.order, self._begin)

    def undo(self, deadline: Deadline, crash_after: int, progress: Progress) -> bool:
        """Put back every service that was begun, last first; True when each runs what it ran before.

        A service that somebody else's rollout has taken over is theirs, and left alone.
        """
        back = self.back = Rollouts(self.aws, deadline, crash_after, progress)
        keys = [key for key in self.forward.begun if self._ours(key) and self.plan.changes[key].before is not None]
        for key in reversed(keys):
            if self._stop(key, progress):
                self._stopped.add(key)
        order = {
            key: tuple(other for other in before if other in keys)
            for key, before in reversed_order(self.plan.order).items()
            if key in keys
        }
        done = back.run(order, lambda key: self._put_back(key, key in self._stopped, deadline), stop_at_failure=False)
        return done and len(keys) == len(self.forward.begun)

    @property
    def superseded(self) -> list[str]:
        """The services that somebody else's rollout has taken over."""
        return [key for key, end in self.forward.ended.items() if end.stand is Stand.SUPERSEDED]

    @property
    def served(self) -> set[str]:
        """The services whose new tasks may have answered requests: all that were begun, unless they crashed first."""
        ends = self.forward.ended
        return {key for key in self.forward.begun if key not in ends or ends[key].served}

    def left(self) -> str:
        """Who runs what, in one line: for people whose run ended in between."""
        return ", ".join(self._left(key) for key in self.plan.changes)

    def _left(self, key: str) -> str:
        if self.back is not None and (put := self.back.begun.get(key)):
            end, revision = self.back.ended.get(key), short(put.definition.arn)
            return f"{key} runs {revision} again" if end and end.good else f"{key} is on its way back to {revision}"
        begun, end = self.forward.begun.get(key), self.forward.ended.get(key)
        if begun is None:
            return f"{key} untouched"
        if key in self.superseded:
            return f"{key} was taken over on its way to {short(begun.definition.arn)}"
        if key in self._stopped:
            return f"{key} was stopped on its way to {short(begun.definition.arn)}"
        return f"{key} {'runs' if end and end.good else 'is on its way to'} {short(begun.definition.arn)}"

    def released(self) -> dict[str, ReleasedService]:
        """Every service of the environment in the release as it was tried: what the ledger keeps."""
        services = self.plan.released()
        for key, begun in self.forward.begun.items():
            change = self.plan.changes[key]
            before = change.before.arn if change.before else None
            services[key] = ReleasedService(
                key, change.sha, change.image, change.digest, begun.definition.arn, before, changed=True
            )
        return services

    def running(self) -> dict[str, ReleasedService]:
        """Every service as it runs by now, as far as this run knows."""
        services = self.released()
        for key, begun in self.back.begun.items() if self.back else ():
            services[key] = released_service(ObservedService(begun.state, begun.definition, begun.container))
        return services

    def _ours(self, key: str) -> bool:
        return key not in self.superseded

    def _begin(self, key: str) -> Begun:
        change, observed = self.plan.changes[key], self.plan.observed[key]
        if change.to is not None and change.to.arn == observed.definition.arn:
            self.touched = True  # by the run that this one continues
            return _begun(change, change.to, observed.state)
        definition = self.register(key)
        return _begun(change, definition, self._update(change.name, definition))

    def register(self, key: str) -> Definition:
        """The revision that a service goes to; registered once, whether its migration or its rollout needs it first."""
        change = self.plan.changes[key]
        if key not in self.registered:
            self.registered[key] = self._taken(change) or register_definition(
                self.aws, change.registration or {}, change.tags
            )
        return self.registered[key]

    def _taken(self, change: Change) -> Definition | None:
        """The revision that exists already; what another run registered for a migration becomes this release's own."""
        found = change.to
        if found is None or change.registration is None or change.tags.items() <= found.tags.items():
            return found
        tag_definition(self.aws, found.arn, change.tags)
        return replace(found, tags={**found.tags, **change.tags})

    def _update(self, name: ServiceName, definition: Definition) -> ServiceState:
        state = update_service(self.aws, name, definition.arn)
        self.touched = True
        return state

    def _stop(self, key: str, progress: Progress) -> bool:
        """Stop a rollout that is still under way; False where ECS would not. True too where ECS does so by itself."""
        begun, end = self.forward.begun[key], self.forward.ended.get(key)
        if end is not None and (end.good or end.stand in (Stand.ROLLED_BACK, Stand.VANISHED)):
            return end.stand is Stand.ROLLED_BACK
        try:
            record = service_rollout(self.aws, begun.name, begun.definition.arn)
            if record is None or not record.under_way:
                return False
            stop_rollout(self.aws, record.arn)
        except (AwsRefused, NotAllowed) as refusal:
            progress.say(f"ECS does not stop the rollout ({refusal.message}); setting the revision instead", key)
            return False
        progress.say(f"stopping the rollout of {short(begun.definition.arn)}", key)
        return True

    def _put_back(self, key: str, stopped: bool, deadline: Deadline) -> Begun:
        change = self.plan.changes[key]
        before = change.before
        if before is None:
            raise FailedBefore(f"service {key}: what ran before is not known")
        # StopServiceDeployment goes to ECS's previous service revision, which need not be what ran before this run:
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
        if stopped:
            state = self._once_stopped(key, deadline)
            if state.primary is not None and state.primary.task_definition == before.arn:
                record = self._stopped_record(key) if state.shifting else ""
                return Begun(change.name, None, before, change.container, state, record)
        try:
            return _begun(change, before, self._update(change.name, before))
        except AwsRefused as refusal:
            if "inactive" not in refusal.text.lower():
                raise
        again = register_definition(self.aws, registration(before), before.tags)
        return _begun(change, again, self._update(change.name, again))

    def _once_stopped(self, key: str, deadline: Deadline) -> ServiceState:
        shifting = self.forward.begun[key].state.shifting
        for _ in range(_REQUESTS_BACK if shifting else _STOP_SHOWS):
            found = describe_services(self.aws, [self.plan.changes[key].name])
            if key not in found:
                raise FailedBefore(f"service {self.plan.changes[key].name.service} does not exist any more")
            state = found[key]
            if state.primary is not None and state.primary.id != self.forward.begun[key].rollout:
                return state
            deadline.sleep(1.0)
        return state

    def _stopped_record(self, key: str) -> str:
        """ECS's record of our rollout, whose rollback is under way; empty where it may not be read."""
        begun = self.forward.begun[key]
        try:
            record = service_rollout(self.aws, begun.name, begun.definition.arn)
        except (AwsRefused, NotAllowed):
            return ""
        return record.arn if record and record.status.startswith("ROLLBACK") else ""


def _begun(change: Change, definition: Definition, state: ServiceState) -> Begun:
    ours = next((r for r in state.rollouts if r.status == "PRIMARY" and r.task_definition == definition.arn), None)
    return Begun(change.name, ours.id if ours else None, definition, change.container, state)
