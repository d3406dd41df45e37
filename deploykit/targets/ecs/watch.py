"""One rollout under way: what was last seen of it. `RolloutWatch.update` takes one poll's answer in."""

from __future__ import annotations

from deploykit.edges.aws.ecs_service_deployments import ServiceDeployment
from deploykit.edges.aws.ecs_tasks import list_tasks
from deploykit.edges.aws.session import NotAllowed
from deploykit.edges.world import World
from deploykit.model.observed import ServiceState
from deploykit.targets.ecs.crash import TaskFailure, crash_loop, failures
from deploykit.targets.ecs.deployments import ServiceDeployments
from deploykit.targets.ecs.events import brief, for_people
from deploykit.targets.ecs.evidence import last_words
from deploykit.targets.ecs.rollout import EndedRollout, StartedRollout
from deploykit.targets.ecs.shifting import bake_left, paused_words, shifted, shifting_pause, stage_words
from deploykit.targets.ecs.state import RolloutState, RolloutView, look, needs_record, pause
from deploykit.targets.ecs.suspicion import Suspicion
from deploykit.targets.ecs.verify import verify

_LAG = 30.0  # seconds after UpdateService in which DescribeServices may not show it yet


class RolloutWatch:
    """What was last seen of one rollout; ``last`` says it in words.

    ``complaint`` is what keeps ECS from continuing, in its own words:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
    """

    def __init__(
        self, started: StartedRollout, world: World, deployments: ServiceDeployments, crash_after: int
    ) -> None:
        now = world.clock.monotonic()
        self.started = started
        self.key = started.name.key
        self.last = "waiting for ECS"
        self.complaint = ""
        self._world, self._deployments, self._crash_after = world, deployments, crash_after
        self._since = self._changed = self._stage_since = now
        self._counts: tuple[int, ...] = ()
        self._full = self._alone = False
        self._suspicion = Suspicion(now)
        self._told = {identifier for identifier, _, _ in started.state.events}
        self._deployment: ServiceDeployment | None = None

    def update(self, state: ServiceState | None, deployment: ServiceDeployment | None) -> EndedRollout | None:
        """Take in what ECS answered now; how the rollout ended, where it has. Raises: Throttled, AwsUnreachable."""
        if state is None:
            return EndedRollout(self.started, RolloutState.VANISHED, "the service itself is gone")
        news = self._news(state)
        now = self._world.clock.monotonic()
        view = self._view(state, deployment, now)
        self._note_counts(state, view, now)
        self._note_stage(deployment, now)
        self._world.progress.live(self.key, self.last)
        if view.state is RolloutState.STEADY and (ended := self._verified(state, deployment)):
            return ended
        if view.state in (RolloutState.STEADY, RolloutState.WAITING):
            # tasks may crash after ECS has called the rollout complete, which it never takes back
            return self._crashed(state, view, news, now)
        crash = self._crash(view, 1)
        return EndedRollout(self.started, view.state, view.reason, crash, self._last_words(crash), state.desired)

    def pause(self, now: float) -> float:
        """Seconds until the next look is worth its calls."""
        if self.started.state.shifting is not None:
            return shifting_pause(self._deployment, self._bake_left(now), now - self._since)
        return pause(self._full, self._alone, now - self._since, now - self._changed)

    def overdue(self, seconds: float) -> EndedRollout:
        """The end where the deadline of so many seconds has passed."""
        waited = f"not done after {seconds:.0f} s: {self.last}{self.complaint}"
        return EndedRollout(self.started, RolloutState.OVERDUE, waited)

    def _news(self, state: ServiceState) -> list[str]:
        """ECS's events since the last look, oldest first, without the service's name in front."""
        fresh = [event for event in state.events if event[0] not in self._told]
        self._told.update(identifier for identifier, _, _ in fresh)
        prefix = f"(service {state.name}) "
        news = [message.removeprefix(prefix) for _, _, message in reversed(fresh)]
        for message in news:
            if "unable to" in message:
                self.complaint = f"; ECS {brief(message).rstrip('.')}"
        for message in for_people(news):
            self._world.progress.say(message, self.key)
        return news

    def _view(self, state: ServiceState, deployment: ServiceDeployment | None, now: float) -> RolloutView:
        rollout, wanted, older = self.started.rollout, self.started.definition.arn, self._older(now)
        back = rollout is None
        status = deployment.status if deployment and not back else None
        if status is None and needs_record(state, rollout, wanted, older):
            status = self._deployments.status(self.started)
        return shifted(look(state, rollout, wanted, status, older), deployment, back=back)

    def _older(self, now: float) -> frozenset[str]:
        """The rollouts that were there before this one, while answers may still be from then.

        https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html ("eventual consistency")
        """
        if self.started.rollout is None or now - self._since > _LAG:
            return frozenset()
        return frozenset(rollout.id for rollout in self.started.state.rollouts) - {self.started.rollout}

    def _note_counts(self, state: ServiceState, view: RolloutView, now: float) -> None:
        rollout = view.rollout
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

    def _note_stage(self, deployment: ServiceDeployment | None, now: float) -> None:
        """Where requests are moved the stage goes in front of the counts."""
        if deployment is None:
            return
        before = self._deployment
        if before is None or deployment.stage != before.stage:
            self._stage_since = now
        paused = paused_words(deployment)
        if paused:
            self.complaint = paused
        elif before is not None and before.paused:
            self.complaint = ""
        self._deployment = deployment
        if deployment.stage:
            self.last = f"{stage_words(deployment, self._bake_left(now))}; {self.last}"

    def _bake_left(self, now: float) -> float | None:
        shifting = self.started.state.shifting
        if self._deployment is None or shifting is None:
            return None
        return bake_left(self._deployment, shifting, now - self._stage_since)

    def _verified(self, state: ServiceState, deployment: ServiceDeployment | None) -> EndedRollout | None:
        """The end of what ECS calls complete; None while something of it is still to be waited for."""
        started = self.started
        groups = self._deployments.groups(state, deployment if started.rollout else None)
        try:
            verified = verify(self._world.aws, started.name, state, started.definition, started.container, groups)
        except NotAllowed as refusal:
            self._world.progress.warn(
                f"cannot read tasks and targets ({refusal.action}); relying on ECS's word only", self.key
            )
        else:
            if verified.wrong:
                return EndedRollout(started, RolloutState.FAILED, verified.wrong, desired=state.desired)
            if verified.waits_for:
                self.last = f"waiting for {verified.waits_for}"
                self._world.progress.live(self.key, self.last)
                return None
        return EndedRollout(started, RolloutState.COMPLETED, desired=state.desired)

    def _crashed(self, state: ServiceState, view: RolloutView, news: list[str], now: float) -> EndedRollout | None:
        """The end of a crash loop; stopped tasks are looked at only where that is worth the calls."""
        if view.rollout is None or not self._suspicion.worth_a_look(view.rollout, news, now):
            return None
        crash = self._crash(view, self._crash_after)
        if crash is None:
            return None
        words = self._last_words(crash)
        running = view.rollout.running
        return EndedRollout(self.started, RolloutState.CRASHED, crash.reason, crash, words, state.desired, running)

    def _crash(self, view: RolloutView, crash_after: int) -> TaskFailure | None:
        rollout = view.rollout.id if view.rollout else self.started.rollout
        if rollout is None:
            return None
        try:
            stopped = list_tasks(self._world.aws, self.started.name, "STOPPED", retry=False)
        except NotAllowed:
            stopped = []  # the deadline still ends a rollout that never completes
        found = failures(stopped, rollout)
        self._suspicion.looked(len(found), self._world.clock.monotonic())
        return crash_loop(found, crash_after)

    def _last_words(self, crash: TaskFailure | None) -> tuple[str, ...]:
        return last_words(self._world.aws, self.started.definition, crash) if crash else ()
