"""The local tables: what Terraform decides on AWS and only a local platform has to be told."""

from __future__ import annotations

from pydantic import Field

from deploykit.config.scalars import Count, EnvironmentVariable, Name, Port, Strings, Table, UrlPath


class LocalService(Table):
    """How a service runs on a local platform."""

    port: Port | None = None
    """The port it listens on; without it, it is a worker behind no load balancer."""
    routes: Strings = ()
    """Load balancer path patterns; the one service with a port and none takes the rest."""
    health_check: UrlPath = "/"
    """Path that the load balancer asks."""
    count: Count = 1
    """Desired tasks."""
    environment: dict[EnvironmentVariable, str] = Field(default_factory=dict)
    """Environment variables of the container."""
    secrets: dict[EnvironmentVariable, Name] = Field(default_factory=dict)
    """Environment variable to Secrets Manager name and JSON key ("NAME:KEY"); the values are made up at random."""


class LocalDatabase(Table):
    """A real PostgreSQL for a local platform."""

    name: Name = "app"
    """The database's name."""


class Local(Table):
    """Everything that only a local platform has to be told."""

    services: dict[str, LocalService] = Field(default_factory=dict)
    """By the service's key."""
    database: LocalDatabase | None = None
    """Given, every service and migration gets DB_HOST, DB_PORT, DB_NAME, DB_USERNAME and, as a secret, DB_PASSWORD."""
