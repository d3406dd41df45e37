"""Behind ECS's COMPLETED: do the tasks run the pushed digest, and does the load balancer send them requests?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploykit.edges.aws.ecs_tasks import list_tasks
from deploykit.edges.aws.elb import target_health
from deploykit.edges.aws.session import Aws
from deploykit.model.observed import Definition, ServiceName, ServiceState


@dataclass(frozen=True)
class Verified:
    """``waits_for`` is what is not there yet; ``wrong`` what will never come right; neither: proven."""

    waits_for: str = ""
    wrong: str = ""


def verify(
    aws: Aws,
    name: ServiceName,
    state: ServiceState,
    definition: Definition,
    container: str,
    groups: Sequence[Sequence[str]],
) -> Verified:
    """Compare running tasks and targets with what should run. Raises NotAllowed where it may not look.

    ``groups``: for each load balancer the ARNs of the target groups among which all tasks are to be healthy.
    ``imageDigest``: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Container.html
    """
    if state.desired == 0:
        return Verified()
    tasks = [task for task in list_tasks(aws, name, "RUNNING") if task.task_definition == definition.arn]
    if len(tasks) < state.desired:
        return Verified(waits_for=f"{len(tasks)} of {state.desired} tasks listed")
    image = str((definition.container(container) or {}).get("image", ""))
    pushed = image.partition("@")[2]
    digests = {c.digest for task in tasks for c in task.containers if c.name == container}
    if pushed and None in digests:
        return Verified(waits_for="the digest that the tasks run")
    if pushed and digests != {pushed}:
        ran = ", ".join(sorted(str(digest) for digest in digests)) or "no such container"
        return Verified(wrong=f"its tasks run {ran} instead of {pushed}")
    addresses = {address for task in tasks for address in task.addresses}
    for group in groups:
        targets = [t for arn in group for t in target_health(aws, arn) if t.target in addresses or not addresses]
        healthy = sum(target.state == "healthy" for target in targets)
        if healthy < state.desired:
            others = sorted({f"{t.state} {t.reason}".strip() for t in targets if t.state != "healthy"})
            detail = f" ({', '.join(others)})" if others else ""
            return Verified(waits_for=f"{healthy} of {state.desired} targets healthy{detail}")
    return Verified()
