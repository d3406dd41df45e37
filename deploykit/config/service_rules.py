"""What services, distributions and local services require of each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploykit.config.locate import KeyPath
from deploykit.config.rule_view import Fault, Rule, RuleView, numbered
from deploykit.config.wording import shown, suggestion


def _image_or_context(view: RuleView) -> Iterator[Fault]:
    for name, service in view.services.items():
        if "context" in service and "image" in service:
            yield (
                ("services", name, "image"),
                "cannot be set with context: a service builds its own image or runs another's",
            )
        elif "context" not in service and "image" not in service:
            yield (
                ("services", name, "context"),
                "is missing: the folder its image is built from (or image, to run another service's)",
            )
        if "repository" not in service and "image" not in service:
            yield ("services", name, "repository"), "is missing: the ECR repository of its image"
        image = service.get("image")
        if not isinstance(image, str) or "context" in service:
            continue
        path = ("services", name, "image")
        other = view.services.get(image)
        if image == name:
            yield path, f'= "{image}": names the service itself; name another one, or set a context'
        elif fault := view.no_service(image):
            yield path, f'= "{image}": {fault}'
        elif other is not None and "image" in other:
            yield path, f'= "{image}": runs another service\'s image itself; name {shown(other["image"])} directly'
        elif other is not None and service.get("repository", other.get("repository")) != other.get("repository"):
            yield ("services", name, "repository"), f"is that of services.{image}, whose image it runs: leave it out"


def _own_repository(view: RuleView) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for name, service in view.services.items():
        repository = service.get("repository")
        if isinstance(repository, str) and "image" not in service:
            owner = first.setdefault(repository, name)
            if owner != name:
                yield (
                    ("services", name, "repository"),
                    f'= "{repository}": services.{owner} is already pushed there; tags are commits, so each image '
                    f'needs a repository of its own (to run the same image: image = "{owner}")',
                )


def _own_ecs_service(view: RuleView) -> Iterator[Fault]:
    first: dict[tuple[str, str], str] = {}
    for name, service in view.services.items():
        if isinstance(service.get("service"), str):
            owner = first.setdefault((str(service.get("cluster")), service["service"]), name)
            if owner != name:
                yield ("services", name, "service"), f'= "{service["service"]}": is already used by services.{owner}'


def _sequence(view: RuleView) -> Iterator[Fault]:
    after: dict[str, list[str]] = {}
    for name, service in view.services.items():
        after[name] = []
        for number, other in numbered(service, "depends_on"):
            if other in view.services:
                after[name].append(other)
            elif other not in view.all_services:
                yield ("services", name, "depends_on", number), f'= "{other}": {view.no_service(other)}'
    for cycle in _cycles(after):
        yield ("services", cycle[0], "depends_on"), f"is circular: {' → '.join((*cycle, cycle[0]))}"


def _cycles(after: dict[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """Each circle once, from its first service in the file's order."""
    seen: set[frozenset[str]] = set()
    finished: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if name in trail:
            circle = trail[trail.index(name) :]
            if frozenset(circle) not in seen:
                seen.add(frozenset(circle))
                start = min(range(len(circle)), key=lambda number: list(after).index(circle[number]))
                yield circle[start:] + circle[:start]
        elif name not in finished:
            for other in after[name]:
                yield from walk(other, (*trail, name))
            finished.add(name)

    for name in after:
        yield from walk(name, ())


def _migration_has_a_place(view: RuleView) -> Iterator[Fault]:
    for name, service in view.services.items():
        if "migrate" in service and "service" not in service:
            yield ("services", name, "migrate"), "needs service: the ECS service whose network and roles its task uses"


def _behind_cdn(view: RuleView) -> Iterator[Fault]:
    for name, cdn in view.of("cdn").items():
        for number, other in numbered(cdn, "after"):
            if other not in view.all_services:
                yield ("cdn", name, "after", number), f'= "{other}": {view.no_service(other)}'


def _local_services(view: RuleView) -> Iterator[Fault]:
    local = view.tables.get("local")
    services = view.of("services", local) if isinstance(local, dict) else {}
    rest: list[str] = []
    for name, service in services.items():
        path: KeyPath = ("local", "services", name)
        if name not in view.all_services:
            yield path, view.no_service(name) or ""
        if "port" in service and not service.get("routes"):
            rest.append(name)
        for key in ("routes", "health_check"):
            if "port" not in service and key in service:
                yield (*path, key), "needs port: a service without a port is a worker behind no load balancer"
    for name in rest[1:]:
        yield (
            ("local", "services", name, "routes"),
            f"is missing: only one service with a port may take all other requests, and local.services.{rest[0]} does",
        )


def limited(view: RuleView) -> Iterator[Fault]:
    """``only`` names environments; also for what the environment itself does not have."""
    places: list[tuple[KeyPath, dict[str, Any]]] = [(("services", name), item) for name, item in view.services.items()]
    places += [(("cdn", name), item) for name, item in view.of("cdn").items()]
    places += [(("checks", "endpoints", number), item) for number, item in view.endpoints]
    for path, item in places:
        for number, name in numbered(item, "only"):
            if name not in view.environments:
                text = f'= "{name}": no such environment; {suggestion(name, view.environments)}'
                yield (*path, "only", number), text


SERVICE_RULES: tuple[Rule, ...] = (
    _image_or_context,
    _own_repository,
    _own_ecs_service,
    _sequence,
    _migration_has_a_place,
    _behind_cdn,
    _local_services,
)
