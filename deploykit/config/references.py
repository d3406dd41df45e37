"""What one table of the file demands of another: names that must exist, keys that exclude or need each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deploykit.config.locate import KeyPath
from deploykit.config.overlay import endpoints_of
from deploykit.config.wording import shown, suggestion

Fault = tuple[KeyPath, str]  # the key it stands at (of the merged tables), and what goes on after the key's name


@dataclass(frozen=True)
class Scene:
    """What the rules look at: the merged tables as the file has them, of any type, so that every rule asks first."""

    tables: dict[str, Any]
    environment: str
    environments: tuple[str, ...]
    all_services: tuple[str, ...]  # those of other environments included
    url_given: bool  # DEPLOYKIT_URL stands in for the environment's url

    def of(self, key: str, parent: Any = None) -> dict[str, dict[str, Any]]:
        """The tables under ``key``, by name."""
        found = (self.tables if parent is None else parent).get(key)
        return {name: item for name, item in found.items() if isinstance(item, dict)} if isinstance(found, dict) else {}

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.of("services")

    @property
    def endpoints(self) -> list[tuple[int, dict[str, Any]]]:
        return [(number, item) for number, item in enumerate(endpoints_of(self.tables)) if isinstance(item, dict)]

    @property
    def url(self) -> str | None:
        url = self.of("environment", {"environment": {"own": self.tables.get("environment")}}).get("own", {}).get("url")
        return url if isinstance(url, str) else None

    def no_service(self, name: str) -> str | None:
        """What is wrong with naming the service ``name`` here, if anything."""
        if name in self.services:
            return None
        if name in self.all_services:
            return f'names the service "{name}", which the environment {self.environment} does not have'
        return f"names no service; {suggestion(name, self.all_services, 'the file has none')}"


Rule = Callable[[Scene], Iterator[Fault]]


def faults(scene: Scene, rules: tuple[Rule, ...]) -> Iterator[Fault]:
    """Everything that ``rules`` find, in no particular order."""
    for rule in rules:
        yield from rule(scene)


def _image_or_context(scene: Scene) -> Iterator[Fault]:
    for name, service in scene.services.items():
        if "context" in service and "image" in service:
            yield ("services", name, "image"), "excludes context: a service builds its own image or runs another's"
        elif "context" not in service and "image" not in service:
            yield (
                ("services", name, "context"),
                "is missing: the folder its image is built from (or image, to run another service's)",
            )
        if "repository" not in service and "image" not in service:
            yield ("services", name, "repository"), "is missing: the ECR repository of its image"
        image = service.get("image")
        if not isinstance(image, str):
            continue
        path = ("services", name, "image")
        other = scene.services.get(image)
        if image == name:
            yield path, f'= "{image}": names itself; it must name another service, or give a context'
        elif fault := scene.no_service(image):
            yield path, f'= "{image}": {fault}'
        elif other is not None and "image" in other:
            yield path, f'= "{image}": runs another service\'s image itself; name {shown(other["image"])} directly'
        elif other is not None and service.get("repository", other.get("repository")) != other.get("repository"):
            yield ("services", name, "repository"), f"is the one of services.{image}, whose image it runs: leave it out"


def _own_repository(scene: Scene) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for name, service in scene.services.items():
        repository = service.get("repository")
        if isinstance(repository, str) and "image" not in service:
            owner = first.setdefault(repository, name)
            if owner != name:
                yield (
                    ("services", name, "repository"),
                    f'= "{repository}": services.{owner} is pushed there already; tags are commits, so each image '
                    f'needs a repository of its own (to run the same image: image = "{owner}")',
                )


def _own_ecs_service(scene: Scene) -> Iterator[Fault]:
    first: dict[tuple[str, str], str] = {}
    for name, service in scene.services.items():
        if isinstance(service.get("service"), str):
            owner = first.setdefault((str(service.get("cluster")), service["service"]), name)
            if owner != name:
                yield ("services", name, "service"), f'= "{service["service"]}": is the one of services.{owner} already'


def _order(scene: Scene) -> Iterator[Fault]:
    after: dict[str, list[str]] = {}
    for name, service in scene.services.items():
        listed = service.get("depends_on")
        after[name] = []
        for number, other in enumerate(listed if isinstance(listed, list) else []):
            if other in scene.services:
                after[name].append(other)
            elif isinstance(other, str) and other not in scene.all_services:
                yield ("services", name, "depends_on", number), f'= "{other}": {scene.no_service(other)}'
    for cycle in _cycles(after):
        yield ("services", cycle[0], "depends_on"), f"goes in a circle: {' → '.join((*cycle, cycle[0]))}"


def _cycles(after: dict[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """Each circle once, beginning at its first service in the file's order."""
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


def _behind_cdn(scene: Scene) -> Iterator[Fault]:
    for name, cdn in scene.of("cdn").items():
        listed = cdn.get("after")
        for number, other in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(other, str) and other not in scene.all_services:
                yield ("cdn", name, "after", number), f'= "{other}": {scene.no_service(other)}'


def _addresses(scene: Scene) -> Iterator[Fault]:
    for number, endpoint in scene.endpoints:
        path: KeyPath = ("checks", "endpoints", number)
        if "path" in endpoint and "url" in endpoint:
            yield (
                (*path, "url"),
                "excludes path: an endpoint has a path under the environment's url, or a url of its own",
            )
        elif "path" not in endpoint and "url" not in endpoint:
            yield (*path, "path"), 'is missing: where to ask, such as "/health" (or url, for another host)'
        expect = endpoint.get("expect")
        address = endpoint.get("url", scene.url)
        plain = isinstance(address, str) and address.startswith("http://")
        if plain and isinstance(expect, dict) and "certificate_days" in expect:
            yield (*path, "expect", "certificate_days"), f"needs https, but the address is {address}"
    relative = [item.get("id") for _, item in scene.endpoints if "path" in item and "url" not in item]
    if relative and not scene.url_given and "url" not in (scene.tables.get("environment") or {}):
        some = ", ".join(str(identifier) for identifier in relative[:3]) + (" …" if len(relative) > 3 else "")
        yield ("environment", "url"), f"is missing: the address under which the endpoints' paths are asked ({some})"


def _versions(scene: Scene) -> Iterator[Fault]:
    for number, endpoint in scene.endpoints:
        path: KeyPath = ("checks", "endpoints", number)
        service, version = endpoint.get("service"), endpoint.get("version")
        if isinstance(service, str) and (fault := scene.no_service(service)):
            yield (*path, "service"), f'= "{service}": {fault}'
        if isinstance(version, dict):
            if len({"json", "header"} & set(version)) != 1 and set(version) <= {"json", "header"}:
                yield (*path, "version"), 'must say where: { json = "PATH" } or { header = "NAME" }, one of the two'
            if "service" not in endpoint and len(scene.services) > 1:
                yield (
                    (*path, "service"),
                    f"is missing: whose version it shows, one of {', '.join(scene.services)}",
                )


def _chances(scene: Scene) -> Iterator[Fault]:
    checks = scene.tables.get("checks")
    if not isinstance(checks, dict):
        return
    noise, detect = checks.get("noise", 0.01), checks.get("detect", 0.33)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (noise, detect))
    if numbers and noise >= detect:
        key = "noise" if "noise" in checks else "detect"
        yield ("checks", key), f"= {checks[key]}: noise ({noise}) must be less than detect ({detect})"


def _windows(scene: Scene) -> Iterator[Fault]:
    checks = scene.tables.get("checks")
    windows = checks.get("maintenance") if isinstance(checks, dict) else None
    for number, window in enumerate(windows if isinstance(windows, list) else []):
        begin, end = (window.get("from"), window.get("to")) if isinstance(window, dict) else (None, None)
        try:
            backwards = begin is not None and end is not None and end <= begin
        except TypeError:  # another type, or only one of them with a time zone: said where types are checked
            continue
        if backwards:
            yield ("checks", "maintenance", number, "to"), f"= {shown(end)}: must be later than from ({shown(begin)})"


def _local_services(scene: Scene) -> Iterator[Fault]:
    local = scene.tables.get("local")
    services = scene.of("services", local) if isinstance(local, dict) else {}
    rest: list[str] = []
    for name, service in services.items():
        path: KeyPath = ("local", "services", name)
        if name not in scene.all_services:
            yield path, scene.no_service(name) or ""
        if "port" in service and not service.get("routes"):
            rest.append(name)
        for key in ("routes", "health_check"):
            if "port" not in service and key in service:
                yield (*path, key), "needs port: a service without a port is a worker behind no load balancer"
    for name in rest[1:]:
        yield (
            ("local", "services", name, "routes"),
            f"is missing: only one service with a port may take the rest, and local.services.{rest[0]} does",
        )


def _only(scene: Scene) -> Iterator[Fault]:
    places: list[tuple[KeyPath, dict[str, Any]]] = [(("services", name), item) for name, item in scene.services.items()]
    places += [(("cdn", name), item) for name, item in scene.of("cdn").items()]
    places += [(("checks", "endpoints", number), item) for number, item in scene.endpoints]
    for path, item in places:
        listed = item.get("only")
        for number, name in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(name, str) and name not in scene.environments:
                yield (
                    (*path, "only", number),
                    f'= "{name}": names no environment; {suggestion(name, scene.environments)}',
                )


ANYWHERE: tuple[Rule, ...] = (_only,)  # also of what the environment does not have
RULES: tuple[Rule, ...] = (
    _image_or_context,
    _own_repository,
    _own_ecs_service,
    _order,
    _behind_cdn,
    _addresses,
    _versions,
    _chances,
    _windows,
    _local_services,
)
