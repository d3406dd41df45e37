"""The tables of deploykit.toml as types, and `Configuration`: the file resolved for one environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from deploykit.config.checks import Checks, Endpoint, Expect, Matchers
from deploykit.config.scalars import (
    Account,
    Address,
    Cache,
    Count,
    DistributionId,
    Duration,
    EnvironmentVariable,
    HostPort,
    Key,
    Name,
    Region,
    RegistryHost,
    Role,
    SomeNames,
    State,
    Strings,
    Table,
    Text,
    Webhook,
)
from deploykit.config.service import Local, Service

__all__ = ["Checks", "Endpoint", "Expect", "Local", "Matchers", "Service"]  # tables of other files, part of these


class Project(Table):
    """What is released."""

    name: Key
    """The project's name; fills {project}."""
    region: Region
    """AWS region; an environment may have its own."""
    default_environment: Text | None = None
    """The environment meant when none is named."""


class Environment(Table):
    """A place where the project runs."""

    account: Account
    """AWS account number, in quotes; deploykit refuses to act on any other."""
    cluster: Name
    """ECS cluster; a service may name its own."""
    region: Region | None = None
    """AWS region, where it is not the project's."""
    url: Address | None = None
    """Base URL of the checks, as users reach it."""
    origin: Address | None = None
    """The same site without the CDN."""
    state: State | None = None
    """Where ledger, lease and health history are kept: s3://BUCKET/PREFIX, or a folder."""
    roles: dict[Literal["deploy", "plan", "check"], Role] = Field(default_factory=dict)
    """IAM roles, assumed with GitHub's OIDC token."""
    history: Literal["forward", "any"] = "forward"
    """`any`: commits may go backwards or sideways."""
    registry: RegistryHost | None = None
    """The host of image references, where it is not ECR's own."""
    connect_to: HostPort | None = None
    """HOST:PORT to connect to instead of the URL's host, as curl --connect-to."""


class Cdn(Table):
    """A CloudFront distribution whose caches a release empties."""

    distribution: DistributionId
    """CloudFront distribution id."""
    paths: SomeNames = ("/*",)
    """Paths, or cache tags ("#menu") where the distribution has them enabled."""
    after: Strings | None = None
    """Invalidated when one of these services changed; by default any."""
    only: Strings | None = None
    """The environments that have it; by default all."""


class Build(Table):
    """How images are built."""

    cache: Cache | None = None
    """Layer cache between machines: "registry:REPOSITORY", a mutable repository of its own."""


class Rollout(Table):
    """How long a rollout may take."""

    deadline: Duration = 900.0
    """The longest a rollout may take (seconds)."""
    crash_after: Count = 2
    """Failed tasks in a row, same container and reason, that end a rollout."""


class FromEnvironment(Table):
    """A value from an environment variable."""

    env: EnvironmentVariable
    """The variable's name."""


def _source(value: Any) -> str:
    return "<variable>" if isinstance(value, dict | FromEnvironment) else "<literal>"


class Notify(Table):
    """Whom to tell."""

    github: bool | None = None
    """Incidents as issues of the repository."""
    webhook: (
        Annotated[
            Annotated[FromEnvironment, Tag("<variable>")] | Annotated[Webhook, Tag("<literal>")],
            Discriminator(_source),
        ]
        | None
    ) = None
    """Address that gets the messages, or { env = "NAME" }."""


class Common(Table):
    """The tables that are the same for the whole file and for one environment."""

    project: Project
    """What is released: [project] with name and region."""
    services: dict[Key, Service] = Field(default_factory=dict)
    """ECS services and their images, by the names used on the command line."""
    cdn: dict[Key, Cdn] = Field(default_factory=dict)
    """CloudFront distributions whose caches a release empties."""
    build: Build = Build()
    """How images are built."""
    rollout: Rollout = Rollout()
    """How long a rollout may take, and when it is given up."""
    notify: Notify = Notify()
    """Whom to tell."""
    checks: Checks = Checks()
    """How endpoints are asked, and how sure a verdict must be."""
    local: Local = Local()
    """What only a local platform must be told; ignored on AWS."""


class Tables(Common):
    """The file's tables with one environment's over them."""

    environment: Environment


class Configuration(Environment, Common):
    """The file resolved for one environment: what everything else works from.

    ``services``, ``cdn`` and the endpoints are those that this environment has; placeholders are filled in; a service
    with ``image`` has the repository of the service it names. Durations are seconds.
    """

    path: Path
    environment: str
    region: Region  # its own or the project's
    other_distributions: dict[str, str] = Field(default_factory=dict)
    """CloudFront distribution id to the name of the other environment that names it."""

    @property
    def root(self) -> Path:
        """The folder of the file; contexts are relative to it."""
        return self.path.parent
