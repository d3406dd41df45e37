"""The tables of a service: its image, where it runs, its migration; and how a local platform runs it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from deploykit.config.scalars import (
    Count,
    Duration,
    EnvironmentVariable,
    Name,
    Platform,
    Port,
    RelativePath,
    Repository,
    ServiceName,
    SomeStrings,
    Strings,
    Table,
    Text,
    UrlPath,
)


class Migrate(Table):
    """A command run once, in the service's new image, before anything is rolled out."""

    command: SomeStrings
    """Program and arguments."""
    paths: Strings = ()
    """Files and folders; it runs when one of them changes. None: it runs with every new image."""
    timeout: Duration = 600.0
    """The longest it may take (seconds)."""
    on_rollback: Literal["allow", "stop"] = "allow"
    """`stop`: a release with a migration is not undone by itself, and a rollback across it needs --to."""


class Service(Table):
    """An ECS service and its image."""

    context: RelativePath | None = None
    """Folder the image is built from, relative to the file; what is committed there counts."""
    repository: Repository = ""
    """ECR repository; the tag is the full git SHA."""
    service: ServiceName | None = None
    """ECS service; without it the image is built and pushed only."""
    cluster: Name | None = None
    """ECS cluster, where it is not the environment's."""
    container: Name = ""
    """Container that runs the image; by default the service's key. Others are left alone."""
    release_env: EnvironmentVariable | None = None
    """Environment variable that gets the SHA of the container's own commit."""
    migrate: Migrate | None = None
    """A command run before the rollout."""
    depends_on: Strings = ()
    """Services that are rolled out before it."""
    dockerfile: RelativePath = "Dockerfile"
    """Dockerfile, relative to the context."""
    target: Text | None = None
    """Build stage."""
    build_args: dict[str, str] = Field(default_factory=dict)
    """Build arguments."""
    build_secrets: dict[str, EnvironmentVariable] = Field(default_factory=dict)
    """Build secret's id to the environment variable that holds it."""
    platform: Platform | None = None
    """Image platform; by default the live task definition's."""
    image: Text | None = None
    """Another service whose image it runs, instead of a context."""
    only: Strings | None = None
    """The environments that have it; by default all."""


class LocalService(Table):
    """How a service runs on a local platform."""

    port: Port | None = None
    """The port it listens on; without it, it is a worker behind no load balancer."""
    routes: Strings = ()
    """Load balancer path patterns; the one service with a port and no patterns gets all other requests."""
    health_check: UrlPath = "/"
    """Path that the load balancer asks."""
    count: Count = 1
    """Desired tasks."""
    environment: dict[EnvironmentVariable, str] = Field(default_factory=dict)
    """Environment variables of the container."""
    secrets: dict[EnvironmentVariable, Name] = Field(default_factory=dict)
    """Environment variable to Secrets Manager name and JSON key ("NAME:KEY"); the values are random."""


class LocalDatabase(Table):
    """A real PostgreSQL for a local platform."""

    name: Name = "app"
    """The database's name."""


class Local(Table):
    """What only a local platform must be told."""

    services: dict[str, LocalService] = Field(default_factory=dict)
    """By the service's key."""
    database: LocalDatabase | None = None
    """Given, every service and migration gets DB_HOST, DB_PORT, DB_NAME, DB_USERNAME and, as a secret, DB_PASSWORD."""
