"""``deploykit logs``: what a service's container writes, from the log group that its live task definition names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deploykit.config.nearest import nearest
from deploykit.config.schema import Configuration
from deploykit.edges.aws.ecs import describe_definition, describe_services
from deploykit.edges.aws.logs import LogLine, lines_since
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.world import World
from deploykit.errors import FailedBefore, UsageError
from deploykit.model.log_place import LogPlace, log_place
from deploykit.model.observed import Definition
from deploykit.targets.ecs.observe import service_names

_POLL = 2.0  # seconds between two looks
_LATE = timedelta(seconds=15)  # CloudWatch lists a line that much after its own time, behind later ones


@dataclass(frozen=True)
class ServiceLine:
    """One line of a container. ``task`` is None where its stream's name does not say (EC2 without a prefix)."""

    time: str  # RFC 3339, UTC, to the millisecond
    service: str
    container: str
    task: str | None
    text: str
    stream: str
    id: str


def lines_of(
    configuration: Configuration,
    world: World,
    service: str,
    since: float = 600.0,
    follow: bool = False,
    container: str | None = None,
) -> Iterator[ServiceLine]:
    """The lines of the last ``since`` seconds, oldest first; ``follow`` continues with new ones and never ends.

    ``container``: another one of its tasks than the one that deploykit releases. Raises: UsageError (no such service
    or container), FailedBefore (it does not log to CloudWatch, or its log group is missing).
    """
    definition = _definition(configuration, world.aws, service)
    own = configuration.services[service].container or service
    others = [name for name in _containers(definition) if name != own]
    if container is None and others:
        world.progress.say(f"container {own}; beside it: {', '.join(others)} (--container {others[0]})", service)
    if container is not None and container not in (own, *others):
        there = ", ".join([own, *others])
        raise UsageError(f"service {service} has no container {container!r}", f"its containers: {there}")
    chosen = container or own
    place = _place(definition, chosen, service, world.aws.region)
    aws = world.aws.in_region(place.region)
    start = world.clock.now() - timedelta(seconds=since)
    return (_named(line, service, chosen, place) for line in _lines(aws, place, start, world, follow))


def _containers(definition: Definition) -> list[str]:
    return [str(spec.get("name")) for spec in definition.content.get("containerDefinitions") or ()]


def _named(line: LogLine, service: str, container: str, place: LogPlace) -> ServiceLine:
    """A stream is named PREFIX/CONTAINER/TASK; the other two are known."""
    moment = line.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    task = line.stream.removeprefix(place.streams) if place.streams else None
    return ServiceLine(moment, service, container, task, line.text, line.stream, line.id)


def _place(definition: Definition, container: str, service: str, region: str) -> LogPlace:
    """Where ``container`` of a task definition writes. Raises: FailedBefore where that is not CloudWatch Logs."""
    found = definition.container(container)
    revision = definition.arn.rpartition("/")[2]
    if found is None:
        raise FailedBefore(
            f"service {service}: task definition {revision} has no container {container!r}",
            f'set `container = "…"` under [services.{service}]',
        )
    place = log_place(found, region)
    if place is None:
        driver = (found.get("logConfiguration") or {}).get("logDriver")
        instead = f"uses the log driver {driver}" if driver else "has no logConfiguration"
        raise FailedBefore(
            f"service {service}: container {container} of {revision} {instead}; only awslogs can be read here",
            "read the logs where that driver sends them, or set logDriver awslogs in the task definition",
        )
    return place


def _definition(configuration: Configuration, aws: Aws, service: str) -> Definition:
    names = service_names(configuration)
    if service not in names:
        near = nearest(service, names)
        known = ", ".join(names) or "none"
        image_only = service in configuration.services
        raise UsageError(
            f"service {service} does not run on ECS" if image_only else f"there is no service {service!r}",
            f"did you mean {near}?" if near else f"services that run: {known}",
        )
    states = describe_services(aws, [names[service]])
    if service not in states:
        raise FailedBefore(
            f"service {names[service].service} does not exist in cluster {names[service].cluster}",
            f"check `service` and `cluster` of [services.{service}] in deploykit.toml",
        )
    if not states[service].task_definition:
        raise FailedBefore(
            f"service {names[service].service} is under the {states[service].controller} controller, and names no "
            "task definition",
            "read its logs where its task sets send them",
        )
    return describe_definition(aws, states[service].task_definition)


def _lines(aws: Aws, place: LogPlace, start: datetime, world: World, follow: bool) -> Iterator[LogLine]:
    """Each look begins a little before the newest line seen, and what was seen is not shown again."""
    seen: dict[str, datetime] = {}
    newest = start
    while True:
        for line in _look(aws, place, max(start, newest - _LATE)):
            if line.id and line.id in seen:
                continue
            seen[line.id] = line.time
            newest = max(newest, line.time)
            yield line
        if not follow:
            return
        seen = {identifier: time for identifier, time in seen.items() if time >= newest - 2 * _LATE}
        world.clock.sleep(_POLL)


def _look(aws: Aws, place: LogPlace, start: datetime) -> Iterator[LogLine]:
    try:
        yield from lines_since(aws, place.group, start, place.streams)
    except AwsRefused as error:
        if error.error != "ResourceNotFoundException":
            raise
        raise FailedBefore(
            f"log group {place.group} does not exist in {place.region}",
            f"create it (`aws logs create-log-group --log-group-name {place.group} --region {place.region}`), or wait "
            "for the first task",
        ) from error
