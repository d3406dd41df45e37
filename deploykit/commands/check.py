"""``deploykit check``: is it healthy now?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploykit.config.schema import Configuration
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, OutOfReach
from deploykit.judge import check as judge
from deploykit.judge.site import Site
from deploykit.model.plan import released_service
from deploykit.model.release import ReleasedService
from deploykit.targets.ecs.observe import observe


def check(
    configuration: Configuration, endpoints: Sequence[str], rounds: int | None, world: World
) -> judge.CheckResult:
    """Ask the endpoints with these ids (none: all) as `judge.check.check` does.

    Versions are compared with what ECS runs where that can be looked up, else reported. Raises: UsageError.
    """
    site = Site(configuration, world)
    checks = judge.chosen(configuration.checks, endpoints)
    return judge.check(
        checks, site.versions(_running(configuration, world)), site.ask, world.clock, world.progress, rounds
    )


def _running(configuration: Configuration, world: World) -> Mapping[str, ReleasedService]:
    try:
        return {key: released_service(service) for key, service in observe(configuration, world.aws).items()}
    except (OutOfReach, FailedBefore):
        return {}
