"""ECS's own records of the rollouts, its service deployments, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from deploykit.edges.aws.ecs_service_deployments import (
    ServiceDeployment,
    describe_service_deployments,
    find_service_deployment,
    serving_groups,
)
from deploykit.edges.aws.session import AwsRefused, NotAllowed
from deploykit.edges.world import World
from deploykit.model.observed import ServiceState
from deploykit.targets.ecs.rollout import StartedRollout

_APART = timedelta(seconds=10)  # at most, between the moments at which ECS creates a rollout and its record


class ServiceDeployments:
    """Asks for them in one call, whatever the number of services; without permission ECS's list has to do."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._arns: dict[str, str] = {}
        self._refused = False

    def look(
        self, rollouts: Sequence[StartedRollout], states: Mapping[str, ServiceState]
    ) -> dict[str, ServiceDeployment]:
        """By service key, for those of ``rollouts`` that move requests. Raises: Throttled, AwsUnreachable."""
        wanted = [each for each in rollouts if (state := states.get(each.name.key)) is not None and state.shifting]
        if not wanted or self._refused:
            return {}
        try:
            for each in wanted:
                key = each.name.key
                if not self._arns.get(key):
                    self._arns[key] = each.deployment or self._find(each, states[key])
            arns = {each.name.key: arn for each in wanted if (arn := self._arns[each.name.key])}
            found = describe_service_deployments(self._world.aws, list(arns.values())) if arns else {}
        except (NotAllowed, AwsRefused) as refusal:
            self._refused = True
            self._world.progress.warn(f"cannot read how far ECS has shifted traffic: {refusal.message}")
            return {}
        return {key: found[arn] for key, arn in arns.items() if arn in found}

    def status(self, rollout: StartedRollout) -> str | None:
        """How ECS's record of a rollout stands that its service's own list cannot tell; None where it does not say."""
        try:
            found = find_service_deployment(self._world.aws, rollout.name, rollout.definition.arn)
        except (NotAllowed, AwsRefused):
            return None  # the service's own list then has to do
        return found.status if found else None

    def groups(self, state: ServiceState, deployment: ServiceDeployment | None) -> list[tuple[str, ...]]:
        """For each of the service's load balancers the target groups among which its tasks are to be healthy.

        One, except where ECS chose between two and does not say which.
        """
        serving: tuple[str, ...] = ()
        if deployment is not None and deployment.revision and any(group.alternate for group in state.target_groups):
            try:
                serving = serving_groups(self._world.aws, deployment.revision)
            except (NotAllowed, AwsRefused) as refusal:
                self._world.progress.warn(f"cannot tell which target group serves: {refusal.message}", state.key)
        both = [tuple(filter(None, (group.arn, group.alternate))) for group in state.target_groups]
        return [tuple(arn for arn in each if arn in serving) or each for each in both]

    def _find(self, rollout: StartedRollout, state: ServiceState) -> str:
        """The record's ARN; empty while ECS does not list it. An earlier rollout of the same revision is not it."""
        if rollout.rollout is None:
            return ""
        found = find_service_deployment(self._world.aws, rollout.name, rollout.definition.arn)
        listed = state.rollout(rollout.rollout)
        if found is None or listed is None:
            return ""
        if found.created and listed.created and found.created < listed.created - _APART:
            return ""
        return found.arn
