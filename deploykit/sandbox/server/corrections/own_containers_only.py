"""Docker is shared: MiniStack neither sweeps containers it did not start nor fetches images from other registries.

AWS has no such sweep; the sandbox removes its containers itself, by its own label. Without this, MiniStack would look
for containers of any MiniStack on this engine at its start, and ask public mirrors for every image it cannot find.

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
        """Leave the engine alone."""

    ministack.app._stop_docker_containers = nothing
    container_reaper.start = nothing
    responses.install_docker_hub_fallback = nothing
