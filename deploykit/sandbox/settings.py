"""The settings of the sandbox's server: a JSON file that only its owner can read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

#: Label on every container of a sandbox; its value is the instance, so that a sweep finds these and no others.
INSTANCE_LABEL = "deploykit.sandbox"


@dataclass(frozen=True)
class Settings:
    """One sandbox: its account, its ports, and how much faster than AWS it waits.

    ``pace`` divides the interval of health checks and the grace period: at 20, a check every 5 s runs every 0.25 s.
    """

    instance: str
    account: str
    region: str
    origin_host: str
    gateway_port: int
    edge_port: int
    balancer_port: int
    pace: float = 20.0

    @property
    def registry(self) -> str:
        """The registry's host and port, as image references name it."""
        return f"{LOOPBACK}:{self.gateway_port}"

    def save(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Settings:
        return cls(**json.loads(path.read_text(encoding="utf-8")))
