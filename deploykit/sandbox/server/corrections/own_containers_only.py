"""The engine is shared: MiniStack neither removes others' containers nor pulls images from other registries.

The sandbox removes its containers itself, by its own label. Without this correction, a MiniStack that starts would stop
the containers of every MiniStack on this engine, and would ask public mirrors for each image that it cannot find.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html (CannotPullContainerError)
"""

from __future__ import annotations

from typing import Any

import ministack.app
from ministack.core import container_reaper, responses

from deploykit.sandbox.server.corrections.parts import Parts

REQUIRES = (
    ("app", "_stop_docker_containers", "(include_unlabelled: bool = False)"),
    ("core.container_reaper", "start", "(get_docker) -> None"),
    ("core.responses", "install_docker_hub_fallback", "() -> None"),
)


def install(_parts: Parts) -> None:
    def nothing(*_: Any, **__: Any) -> None:
        """Leave the engine unchanged."""

    ministack.app._stop_docker_containers = nothing
    container_reaper.start = nothing
    responses.install_docker_hub_fallback = nothing
