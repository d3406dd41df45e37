"""Start the server: corrections first, then the gateway, the edge and the load balancer on the sockets passed in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploykit.sandbox.settings import Settings

if TYPE_CHECKING:
    from deploykit.sandbox.server.data_plane.wire import Handler

#: How long a stop waits for a container that is being started (seconds).
STARTING_SECONDS = 2.0


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM. ``arguments``: instance, settings file, and three listening sockets' descriptors.

    Returns 3 when MiniStack is not the version that the corrections were written for; stderr says why.
    """
    with contextlib.suppress(PermissionError):
        os.setsid()  # Ctrl-C in the terminal that started it must not stop it
    os.chdir(Path(arguments[1]).parent)
    settings = Settings.load(Path(arguments[1]))
    gateway, edge, balancer = (int(a) for a in arguments[2:5])
    _prepare(settings)
    from deploykit.sandbox.server import corrections
    from deploykit.sandbox.server.corrections.parts import assemble

    parts = assemble(settings)
    try:
        corrections.install(parts)
    except corrections.Moved as error:
        print(error, file=sys.stderr)  # noqa: T201 (its log)
        return 3

    def stop(*_: object) -> None:
        parts.containers.closing = True
        time.sleep(0.05)
        deadline = time.monotonic() + STARTING_SECONDS
        while parts.containers.starting and time.monotonic() < deadline:
            time.sleep(0.02)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    from deploykit.sandbox.server.data_plane.balancer import Balancer
    from deploykit.sandbox.server.data_plane.edge import Edge
    from deploykit.sandbox.server.faults import Faults
    from deploykit.sandbox.server.gateway import Gateway

    front = Balancer(settings, parts.targets)
    threading.Thread(target=parts.scheduler.run_forever, args=(traceback.print_exception,), daemon=True).start()
    doors = ((edge, Edge(settings, front, parts.cache).answer), (balancer, front.answer))
    threading.Thread(target=lambda: asyncio.run(_fronts(parts.targets.check_forever, doors)), daemon=True).start()
    asyncio.run(_gateway(Gateway(settings, Faults(parts.cache)), gateway))
    return 0


def _prepare(settings: Settings) -> None:
    """MiniStack reads its settings from the environment when it is imported."""
    os.environ |= {
        "GATEWAY_PORT": str(settings.gateway_port),
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_HOSTNAME": f"deploykit-{settings.instance}",
        "MINISTACK_REGION": settings.region,
        "MINISTACK_ACCOUNT_ID": settings.account,
        "AUTH": "false",
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }


async def _fronts(checks: Callable[[], Awaitable[None]], doors: Sequence[tuple[int, Handler]]) -> None:
    from deploykit.sandbox.server.data_plane.wire import serve

    servers = [await serve(socket.socket(fileno=number), handler) for number, handler in doors]
    await asyncio.gather(checks(), *(server.serve_forever() for server in servers))


async def _gateway(application: object, descriptor: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.errorlog = "-"
    await serve(application, config, shutdown_trigger=asyncio.Event().wait)
