"""The parts of a running sandbox server, as the corrections use them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from deploykit.sandbox.server.data_plane.cache import EdgeCache
from deploykit.sandbox.server.data_plane.targets import Targets
from deploykit.sandbox.server.ecs.containers import Containers
from deploykit.sandbox.server.ecs.history import History
from deploykit.sandbox.server.ecs.scheduler import Scheduler
from deploykit.sandbox.server.ecs.tasks import Tasks
from deploykit.sandbox.settings import Settings


@dataclass
class Parts:
    """Everything of one server that a correction may need."""

    settings: Settings
    targets: Targets
    containers: Containers
    tasks: Tasks
    scheduler: Scheduler
    history: History
    cache: EdgeCache
    registry_tokens: dict[str, float] = field(default_factory=dict)
    """Password of a registry login, or signature of a layer's URL → when it expires (seconds since the epoch)."""


def assemble(settings: Settings) -> Parts:
    """Create the parts; nothing runs yet."""
    targets = Targets(settings)
    containers = Containers(settings)
    history = History(settings)
    own_password = secrets.token_urlsafe(32)
    tasks = Tasks(settings, containers, targets, own_password)
    scheduler = Scheduler(tasks, history)
    tokens = {own_password: float("inf")}
    return Parts(settings, targets, containers, tasks, scheduler, history, EdgeCache(), tokens)
