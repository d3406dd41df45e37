"""What the sandbox must create for a configuration."""

from __future__ import annotations

import platform as machine
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deploykit.config.schema import Configuration
from deploykit.sandbox import places


@dataclass(frozen=True)
class ServicePlan:
    """One ECS service to create; ``secrets``: variable → Secrets Manager name and JSON key ("" for all of it)."""

    key: str
    name: str
    cluster: str
    container: str
    repository: str
    count: int
    port: int | None = None
    routes: tuple[str, ...] = ()
    health_check: str = "/"
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Distribution:
    """One CloudFront distribution to create; ``uncached``: the routes of services that never invalidate it."""

    id: str
    names: tuple[str, ...]
    uncached: tuple[str, ...]
    tagged: bool


@dataclass(frozen=True)
class Platform:
    """Everything that the sandbox creates for one environment."""

    instance: str
    environment: str
    prefix: str
    """The prefix of resources that the configuration does not name."""
    account: str
    region: str
    url: str
    url_host: str
    origin_host: str
    clusters: tuple[str, ...]
    repositories: tuple[str, ...]
    mutable_repositories: tuple[str, ...]
    services: tuple[ServicePlan, ...]
    distributions: tuple[Distribution, ...]
    bucket: str
    database: str


def of(configuration: Configuration, edge_port: int) -> Platform:
    """The platform of ``configuration``; without a ``url``, its address is the edge's."""
    address = urlsplit(configuration.url or "")
    host = address.hostname or "127.0.0.1"
    named = address.netloc.rpartition("@")[2]
    url = f"http://{named}{address.path.rstrip('/')}" if configuration.url else f"http://{host}:{edge_port}"
    services = tuple(_service(configuration, key) for key, s in configuration.services.items() if s.service)
    repositories = [s.repository for s in configuration.services.values() if s.repository]
    cache = (configuration.build.cache or "").partition(":")[2]
    state, database = urlsplit(configuration.state or ""), configuration.local.database
    return Platform(
        instance=places.instance(configuration.path, configuration.environment),
        environment=configuration.environment,
        prefix=f"{configuration.environment}-{configuration.project.name}",
        account=configuration.account,
        region=configuration.region,
        url=url,
        url_host=host,
        origin_host=urlsplit(configuration.origin or "").hostname or "",
        clusters=tuple(dict.fromkeys([configuration.cluster, *(s.cluster for s in services)])),
        repositories=tuple(dict.fromkeys(repositories)),
        mutable_repositories=(cache,) if cache and cache not in repositories else (),
        services=services,
        distributions=_distributions(configuration, services, host),
        bucket=state.netloc if state.scheme == "s3" else "",
        database=database.name if database else "",
    )


def instance(configuration: Configuration) -> str:
    """The name of this configuration's sandbox."""
    return places.instance(Path(configuration.path), configuration.environment)


def architecture() -> str:
    """This machine's processor, as ECS names it."""
    return "ARM64" if machine.machine().lower() in ("aarch64", "arm64") else "X86_64"


def _service(configuration: Configuration, key: str) -> ServicePlan:
    service = configuration.services[key]
    local = configuration.local.services.get(key)
    secrets = {}
    for variable, reference in (local.secrets if local else {}).items():
        name, _, json_key = reference.partition(":")
        secrets[variable] = (name, json_key)
    return ServicePlan(
        key=key,
        name=service.service or key,
        cluster=service.cluster or configuration.cluster,
        container=service.container or key,
        repository=service.repository,
        count=local.count if local else 1,
        port=local.port if local else None,
        routes=tuple(local.routes) if local else (),
        health_check=local.health_check if local else "/",
        environment=dict(local.environment) if local else {},
        secrets=secrets,
    )


def _distributions(
    configuration: Configuration, services: tuple[ServicePlan, ...], host: str
) -> tuple[Distribution, ...]:
    found = []
    for index, cdn in enumerate(configuration.cdn.values()):
        names = tuple(dict.fromkeys([host, "127.0.0.1", "localhost"])) if index == 0 else ()
        behind = set(cdn.after) if cdn.after is not None else {s.key for s in services}
        uncached = tuple(route for s in services if s.key not in behind for route in s.routes)
        found.append(Distribution(cdn.distribution, names, uncached, any(p.startswith("#") for p in cdn.paths)))
    return tuple(found)
