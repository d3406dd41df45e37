"""The writes to ECS of an undo: stop what is under way, and restore exactly what ran when the release began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploykit.config.sequence import reversed_sequence
from deploykit.edges.aws.ecs import describe_services, update_service
from deploykit.edges.aws.ecs_service_deployments import find_service_deployment, stop_service_deployment
from deploykit.edges.aws.session import AwsRefused, NotAllowed
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Poll, Waiting
from deploykit.errors import DeploykitError, FailedBefore
from deploykit.ledger.journal import Run
from deploykit.model.observed import ObservedService, ServiceState
from deploykit.model.plan import released_service
from deploykit.targets.ecs.definition import short
from deploykit.targets.ecs.follow import Rollouts
from deploykit.targets.ecs.release import RolledOut, registered_again, started
from deploykit.targets.ecs.rollout import StartedRollout
from deploykit.targets.ecs.state import RolloutState

_STOP_SHOWS = 14.0  # seconds until a stopped rollout has left its place, at the longest
_TRAFFIC_BACK = 59.0  # the same where ECS shifts traffic back first


@dataclass(frozen=True)
class Restored:
    """``complete``: each service runs what it ran before. ``refused``: what kept a service from being restored."""

    complete: bool
    refused: Mapping[str, DeploykitError]


def restore(run: Run, rolled: RolledOut) -> Restored:
    """Restore every service whose rollout was begun, last first.

    A service that somebody else's rollout has taken over is theirs, and left alone.
    """
    keys = [key for key in rolled.started if key not in rolled.superseded and run.plan.changes[key].before is not None]
    stopped = {key for key in reversed(keys) if key not in rolled.restored and _stop(run, rolled, key)}
    sequence = {
        key: tuple(other for other in before if other in keys)
        for key, before in reversed_sequence(run.plan.sequence).items()
        if key in keys
    }
    rollouts = Rollouts(run, sequence, regardless=True)
    for key in rollouts.due():
        try:
            rollouts.start(key, _begin(run, rolled, key, rollouts.deadline, stopped=key in stopped))
        except DeploykitError as error:
            rollouts.refuse(key, error)
    return Restored(rollouts.good and len(keys) == len(rolled.started), rollouts.refused)


def _stop(run: Run, rolled: RolledOut, key: str) -> bool:
    """Stop a rollout that is still under way; False where ECS would not. True too where ECS does so by itself."""
    begun, end = rolled.started[key], rolled.ended.get(key)
    if end is not None and (end.good or end.state in (RolloutState.ROLLED_BACK, RolloutState.VANISHED)):
        return end.state is RolloutState.ROLLED_BACK
    try:
        deployment = find_service_deployment(run.world.aws, begun.name, begun.definition.arn)
        if deployment is None or not deployment.under_way:
            return False
        stop_service_deployment(run.world.aws, deployment.arn)
    except (AwsRefused, NotAllowed) as refusal:
        run.world.progress.say(
            f"ECS does not stop the rollout ({refusal.message}); setting the previous revision instead", key
        )
        return False
    run.journal.where[key] = f"was stopped on its way to {short(begun.definition.arn)}"
    run.world.progress.say(f"stopping the rollout of {short(begun.definition.arn)}", key)
    return True


def _begin(run: Run, rolled: RolledOut, key: str, deadline: Deadline, *, stopped: bool) -> StartedRollout:
    aws, change, forward = run.world.aws, run.plan.changes[key], rolled.started[key]
    before = change.before
    if before is None:
        raise FailedBefore(f"service {change.name.key}: what ran before is not known")
    if key in rolled.restored:
        return _began(run, replace(forward, back=True))
    # StopServiceDeployment goes to ECS's previous service revision, which need not be what ran before this run:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
    if stopped:
        state = _once_stopped(run, forward, deadline)
        if state.primary is not None and state.primary.task_definition == before.arn:
            deployment = _stopped_deployment(run, forward) if state.shifting else ""
            back = StartedRollout(change.name, None, before, change.container, state, deployment, back=True)
            return _began(run, back)
    try:
        return _began(run, started(change, before, update_service(aws, change.name, before.arn), back=True))
    except AwsRefused as refusal:
        if "inactive" not in refusal.text.lower():
            raise
    again = registered_again(aws, before)
    return _began(run, started(change, again, update_service(aws, change.name, again.arn), back=True))


def _began(run: Run, back: StartedRollout) -> StartedRollout:
    run.journal.restoring(released_service(ObservedService(back.state, back.definition, back.container)))
    return back


def _once_stopped(run: Run, forward: StartedRollout, deadline: Deadline) -> ServiceState:
    """The service once the stopped rollout has left its place, or as it is when that takes too long."""
    world, key = run.world, forward.name.key
    last: list[ServiceState] = []

    def look() -> bool | Waiting:
        found = describe_services(world.aws, [forward.name], retry=False)
        if key not in found:
            raise FailedBefore(f"service {forward.name.service} no longer exists")
        last[:] = [found[key]]
        primary = found[key].primary
        gone = primary is not None and primary.id != forward.rollout
        return gone or Waiting(f"{short(forward.definition.arn)} is still the primary rollout")

    seconds = min(_TRAFFIC_BACK if forward.state.shifting else _STOP_SHOWS, deadline.left)
    what = "ECS to stop the rollout"
    Poll(what, Deadline(world.clock, seconds), lambda _: 1.0, world.progress, key, at_once=True).until(look)
    return last[0] if last else forward.state


def _stopped_deployment(run: Run, forward: StartedRollout) -> str:
    """ECS's record of our rollout, whose rollback is under way; empty where it may not be read."""
    try:
        found = find_service_deployment(run.world.aws, forward.name, forward.definition.arn)
    except (AwsRefused, NotAllowed):
        return ""
    return found.arn if found and found.status.startswith("ROLLBACK") else ""
