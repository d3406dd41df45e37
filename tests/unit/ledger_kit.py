"""Values for tests of the ledger and of rollbacks: entries, a configuration, AWS as the simulator plays it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from deploykit.config.schema import Configuration, Project, Service
from deploykit.edges.aws.session import Aws
from deploykit.edges.world import World
from deploykit.ledger.running import LiveRevision
from deploykit.model.ledger import LedgerEntry
from deploykit.model.progress import Silent
from deploykit.model.release import Outcome, ReleasedService, Verdict
from tests.simulator import Simulator

ACCOUNT = "108581769167"
BASE = f"arn:aws:ecs:us-east-1:{ACCOUNT}:task-definition/"
DEFAULT = Outcome.DEPLOYED


def sha(number: int) -> str:
    """A commit: 40 digits that begin with the release's number."""
    return f"{number:07x}".ljust(40, "f")


def release(number: int) -> str:
    return f"202611{number // 24 + 1:02d}T{number % 24:02d}0000Z-{number:07x}"


def arn(service: str, number: int) -> str:
    return f"{BASE}{service}:{number}"


def entry(
    number: int,
    services: Mapping[str, int],
    changed: str | None = None,
    verdict: Verdict | None = Verdict.HEALTHY,
    outcome: Outcome | None = DEFAULT,
    **more: Any,
) -> LedgerEntry:
    """Release ``number``: services at revisions; ``changed``: letters of those it changed (None: all)."""
    released = {
        key: ReleasedService(
            key, sha(number), f"registry/{key}@sha256:{revision}", f"sha256:{revision}", arn(key, revision), None,
            changed=changed is None or key in changed,
        )
        for key, revision in services.items()
    }  # fmt: skip
    values: dict[str, Any] = {
        "id": release(number),
        "kind": "deploy",
        "command": "deploy",
        "environment": "dev",
        "sha": sha(number),
        "previous_sha": None,
        "started": f"2026-11-21T{number % 24:02d}:00:00Z",
        "by": "ada",
        "verdict": verdict,
        "outcome": outcome,
        "services": released,
    }
    return LedgerEntry(**{**values, **more})


def rolled_back(number: int, services: Mapping[str, int], changed: str, target: int) -> LedgerEntry:
    """A rollback's entry, under release number ``number``, that went to ``target``."""
    made = entry(number, services, changed, outcome=Outcome.ROLLED_BACK, kind="rollback", command="rollback")
    return replace(made, sha=sha(target), target=release(target))


def newest_first(*entries: LedgerEntry) -> list[LedgerEntry]:
    return sorted(entries, key=lambda item: item.id, reverse=True)


def live(**revisions: int) -> dict[str, LiveRevision]:
    return {key: LiveRevision(arn(key, revision)) for key, revision in revisions.items()}


@dataclass
class Listener(Silent):
    """Keeps the warnings."""

    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str, subject: str = "") -> None:
        self.warnings.append(text)


@dataclass
class Simulated:
    """The simulator, and deploykit's world pointed at it."""

    sim: Simulator
    world: World
    root: Path

    @property
    def aws(self) -> Aws:
        return self.world.aws

    @property
    def warnings(self) -> list[str]:
        assert isinstance(self.world.progress, Listener)
        return self.world.progress.warnings

    def configuration(self, *services: str, state: str | None = None) -> Configuration:
        return Configuration(
            path=self.root / "deploykit.toml",
            environment="dev",
            project=Project(name="shop", region="us-east-1"),
            region="us-east-1",
            account=ACCOUNT,
            cluster="default",
            state=state,
            services={key: Service(context=key, repository=key, service=key) for key in services},
        )

    def bucket(self, name: str = "state") -> dict[str, Any]:
        """A bucket that exists; its objects by key."""
        return self.sim.s3.buckets.setdefault(name, {})

    def revision(self, served: str, number: int, verdict: str | None = "healthy", environment: str = "dev") -> str:
        """Register one more revision of a served service, tagged as release ``number``'s; returns its ARN."""
        known = self.sim.state.definitions[served][0].body
        tags = {"release": release(number), "sha": sha(number), "environment": environment, "verdict": verdict}
        listed = [{"key": f"deploykit:{name}", "value": value} for name, value in tags.items() if value]
        made = self.sim.ecs.register_task_definition({**known, "tags": listed})
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def run(self, served: str, revision: str) -> None:
        self.sim.ecs.update_service({"service": served, "taskDefinition": revision})
        self.sim.clock.advance(300)


@contextmanager
def world(monkeypatch: pytest.MonkeyPatch, root: Path) -> Iterator[Simulated]:
    with Simulator() as sim:
        for name, value in {
            "AWS_ENDPOINT_URL": sim.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": str(root / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(root / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        aws = Aws("us-east-1")
        yield Simulated(sim, World(sim.clock.wall(), aws, Listener(), {}), root)
