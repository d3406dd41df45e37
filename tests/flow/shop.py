"""A small committed project whose images need no base, no network and no time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from deploykit.config.schema import Configuration
from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import SystemClock
from deploykit.edges.docker import Docker
from deploykit.edges.git import Repository
from deploykit.edges.world import World
from deploykit.images.sources import identify
from deploykit.model.release import Commit
from tests.unit.config_files import read
from tests.unit.git_kit import commit, git, write

CONFIGURATION = """\
[project]
name = "shop"
region = "us-east-1"
[environments.prod]
account = "123456789012"
cluster = "shop"
registry = "{registry}"
[services.web]
context = "web"
repository = "{unique}/web"
service = "web"
{web}
[services.api]
context = "api"
dockerfile = "../docker/api.Dockerfile"
repository = "{unique}/api"
service = "api"
build_args = {{ GREETING = "hello" }}
[services.worker]
image = "api"
service = "worker"
"""
FILES = {
    ".gitignore": ".env\n",
    "web/Dockerfile": "FROM scratch\nCOPY . /site/\n",
    "web/.dockerignore": "*.md\n",
    "web/index.html": "committed",
    "web/notes.md": "not for users",
    "api/main": "#!/bin/true\n",
    "docker/api.Dockerfile": "FROM scratch\nARG GREETING\nLABEL greeting=$GREETING\nCOPY main /main\n",
}


@dataclass
class Told:
    """A listener that keeps what it was told."""

    lines: list[str] = field(default_factory=list)
    lived: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)

    def step(self, name: str) -> None:
        self.lines.append(name)

    def say(self, text: str, subject: str = "") -> None:
        self.lines.append(f"{subject}: {text}")

    def live(self, subject: str, text: str) -> None:
        self.lived.append((subject, text))

    def warn(self, text: str, subject: str = "") -> None:
        self.warnings.append(f"{subject}: {text}")

    def command(self, argv: Sequence[str]) -> None:
        self.commands.append(list(argv))


class Shop:
    """The project in ``folder``; its repositories have a name of their own, so that tests do not meet."""

    def __init__(self, folder: Path, registry: str = "127.0.0.1:9", web: str = "") -> None:
        self.folder = folder
        self.unique = f"shop-{uuid4().hex[:12]}"
        self.told = Told()
        text = CONFIGURATION.format(registry=registry, unique=self.unique, web=web)
        commit(folder, {**FILES, "deploykit.toml": text})
        git(folder, "remote", "add", "origin", "https://ann:secret@example.com/shop.git")
        self.configuration: Configuration = read(folder, text)
        self.repository = Repository.find(folder)

    def write(self, files: dict[str, str]) -> None:
        write(self.folder, files)

    def commit(self, files: dict[str, str]) -> Commit:
        commit(self.folder, files)
        return self.repository.head()

    def identify(self, *, allow_dirty: bool = False) -> Commit:
        return identify(self.repository, self.configuration, self.configuration.services, allow_dirty=allow_dirty)

    def world(self, environment: Mapping[str, str] = os.environ) -> World:
        return World(SystemClock(), Aws("us-east-1"), self.told, environment)

    def remove_images(self, docker: Docker) -> None:
        """Take this shop's images off the engine, and no others."""
        names = (f"reference=*/{self.unique}/*", f"reference={self.unique}/*")
        listing = ("images", "--quiet", *(word for name in names for word in ("--filter", name)))
        found = subprocess.run((docker.program, *listing), capture_output=True, text=True, check=True).stdout.split()
        if found:
            subprocess.run((docker.program, "rmi", "--force", *set(found)), capture_output=True, check=False)
