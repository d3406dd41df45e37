"""ECS's records of the rollouts that move requests, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from deploykit.edges.aws.ecs_rollouts import ServiceRollout, describe_rollouts, service_rollout, serving_groups
from deploykit.edges.aws.session import Aws, AwsRefused, NotAllowed
from deploykit.model.observed import ServiceState
from deploykit.model.progress import Progress
from deploykit.targets.ecs.watched import Watched

_APART = timedelta(seconds=10)  # at most, between the moments at which ECS creates a rollout and its record


class Records:
    """Asks for them in one call, whatever the number of services; without permission ECS's list has to do."""

    def __init__(self, aws: Aws, progress: Progress) -> None:
        self._aws, self._progress = aws, progress
        self._refused = False

    def look(self, items: Sequence[Watched], states: Mapping[str, ServiceState]) -> dict[str, ServiceRollout]:
        """By service key, for those of ``items`` that move requests. Raises: Throttled, AwsUnreachable."""
        wanted = [item for item in items if (state := states.get(item.key)) is not None and state.shifting]
        if not wanted or self._refused:
            return {}
        try:
            for item in wanted:
                if not item.record and item.begun.rollout is not None:
                    item.record = self._find(item, states[item.key])
            arns = {item.key: item.record for item in wanted if item.record}
            found = describe_rollouts(self._aws, list(arns.values())) if arns else {}
        except (NotAllowed, AwsRefused) as refusal:
            self._refused = True
            self._progress.warn(f"how far ECS is in moving requests cannot be looked at: {refusal.message}")
            return {}
        return {key: found[arn] for key, arn in arns.items() if arn in found}

    def groups(self, item: Watched, state: ServiceState, record: ServiceRollout | None) -> list[tuple[str, ...]]:
        """For each of the service's load balancers the target groups among which its tasks are to be healthy.

        One, except where ECS chose between two and does not say which.
        """
        serving: tuple[str, ...] = ()
        if record is not None and record.revision and any(group.alternate for group in state.target_groups):
            try:
                serving = serving_groups(self._aws, record.revision)
            except (NotAllowed, AwsRefused) as refusal:
                self._progress.warn(f"which target group serves is not known: {refusal.message}", item.key)
        both = [tuple(filter(None, (group.arn, group.alternate))) for group in state.target_groups]
        return [tuple(arn for arn in each if arn in serving) or each for each in both]

    def _find(self, item: Watched, state: ServiceState) -> str:
        """The record's ARN; empty while ECS does not list it. An earlier rollout of the same revision is not it."""
        found = service_rollout(self._aws, item.begun.name, item.begun.definition.arn)
        listed = state.rollout(item.begun.rollout or "")
        if found is None or listed is None:
            return ""
        if found.created and listed.created and found.created < listed.created - _APART:
            return ""
        return found.arn
