"""A cluster that deploykit did not make, and a repository of the same project without a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploykit.config.load import load
from deploykit.config.schema import Configuration
from tests.flow.raw_platform import RawPlatform, container
from tests.flow.world import Done, World
from tests.simulator import Simulator
from tests.simulator.errors import AwsError
from tests.simulator.faults import Fault, Faults

CLUSTER = "dev-harbour-cluster"
READING = ("BatchGet", "Describe", "Filter", "Get", "Head", "List")  # as AWS's own policy ReadOnlyAccess has them


class OnlyReading(Faults):
    """Credentials that may look at everything and change nothing."""

    def before(self, service: str, operation: str, path: str = "") -> Fault | None:
        if not operation.startswith(READING):
            text = f"User: arn:aws:sts::{self.account}:assumed-role/auditor/x is not authorized to perform: "
            raise AwsError("AccessDeniedException", f"{text}{service}:{operation}", 403)
        return super().before(service, operation, path)


@dataclass
class Account(World):
    """An account with one cluster, and a repository of the same project that has no configuration yet."""

    platform: RawPlatform = field(kw_only=True)

    def adopt(self, *more: str) -> Done:
        return self.run("init", "--from-cluster", CLUSTER, *more)

    @property
    def text(self) -> str:
        return (self.folder / "deploykit.toml").read_text(encoding="utf-8")

    @property
    def configuration(self) -> Configuration:
        return load(self.folder / "deploykit.toml", None, {})

    def about(self, value: str) -> str:
        """The one line of the file that begins so, with the comment of a long one, which stands above it."""
        lines = self.text.splitlines()
        [number] = [number for number, line in enumerate(lines) if line.startswith(value)]
        return lines[number] if "  # " in lines[number] else f"{lines[number]}  {lines[number - 1]}"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    folder = tmp_path / "harbour"
    for name in ("api", "web"):
        (folder / name).mkdir(parents=True)
        (folder / name / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "DEPLOYKIT_ENV", "DEPLOYKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    with Simulator() as sim:
        environ = {
            "AWS_ENDPOINT_URL": sim.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield Account(sim, folder, environ, platform=RawPlatform(sim, CLUSTER))


def two_services(platform: RawPlatform, *, cdn: bool = True, health: str = "/api/health") -> str:
    """An API at /api/* and a site that takes the rest, behind one load balancer; the distribution's id, or ""."""
    site, api = platform.group("site", 3000, "/health"), platform.group("api", 3001, health)
    balancer = platform.balancer("harbour", default=site)
    platform.rule(balancer["Listener"], api, paths=["/api/*"])
    image = platform.image("harbour/api", "1a2b3c4")
    platform.service(
        "dev-harbour-api",
        [container("api", image, port=3001, environment={"GIT_SHA": "1a2b3c4"})],
        group=(api, "api", 3001),
        count=2,
    )
    image = platform.image("harbour/web", "1a2b3c4")
    platform.service("dev-harbour-web", [container("app", image, port=3000)], group=(site, "app", 3000), count=2)
    return platform.distribution(balancer["DNSName"], "harbour.example") if cdn else ""
