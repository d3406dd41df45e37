"""The simulated shop with a registry that a real Docker Engine can push to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.flow.registry import Registry, SimulatedEcr
from tests.flow.world import Done, World, healthy, shop


@dataclass
class EngineShop:
    """``world``, whose images go to ``registry``; every image behaves well."""

    world: World
    registry: Registry

    def committed(self, *folders: str) -> str:
        """A commit that changes ``folders``; its SHA."""
        for folder in folders:
            file = self.world.folder / folder / "page.html"
            file.write_text(f"{file.read_text() if file.exists() else ''}more")
        self.world.git("add", "-A")
        self.world.git("commit", "--allow-empty", "-qm", f"change {', '.join(folders) or 'nothing'}")
        return self.world.git("rev-parse", "HEAD")

    def configured(self, before: str, after: str) -> None:
        """Write ``after`` instead of ``before`` into the configuration."""
        path = self.world.folder / "deploykit.toml"
        assert before in path.read_text()
        path.write_text(path.read_text().replace(before, after))

    def tags(self, repository: str) -> list[str]:
        answer = self.world.sim.ecr.describe_images({"repositoryName": repository})
        return sorted(tag for detail in answer["imageDetails"] for tag in detail.get("imageTags", ()))

    def content_tags(self, repository: str) -> list[str]:
        return [tag for tag in self.tags(repository) if tag.startswith("content-")]


@contextmanager
def engine_shop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineShop]:
    """What was built for it is taken off the engine in the end."""
    with shop(folder, monkeypatch) as world:
        ecr = SimulatedEcr(world.sim)
        with Registry("simulated", ecr.put, world.sim.ecr.blobs) as registry:
            world.environ |= {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            world.environ["DEPLOYKIT_REGISTRY"] = registry.host
            world.sim.default_behaviour = healthy()
            try:
                yield EngineShop(world, registry)
            finally:
                remove_images(f"{registry.host}/*/*")


def remove_images(reference: str) -> list[str]:
    """Take the images of this name, and no others, off the engine; what there was."""
    listing = ("docker", "images", "--filter", f"reference={reference}", "--format", "{{.Repository}}:{{.Tag}}")
    found = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    named = [name for name in found if not name.endswith(":<none>")]
    if named:
        subprocess.run(("docker", "rmi", *named), capture_output=True, check=False)
    return found


def docker_ran(done: Done) -> int:
    """How many builds and pushes people saw."""
    return sum(any(f"docker {verb}" in line for verb in ("build", "push")) for line in done.people.splitlines())
