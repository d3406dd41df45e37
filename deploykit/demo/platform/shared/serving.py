"""Serve HTTP until SIGTERM, then drain: every accepted request is answered before the process ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRAIN_SECONDS = 0.5  # accepts for so long after SIGTERM: the load balancer may just have sent a request


@dataclass(frozen=True)
class Answer:
    """The response for one path."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def serve(port: int, answer: Callable[[str], Answer]) -> None:
    """Answer GET and HEAD of every path with ``answer(path)`` until SIGTERM; each connection in a thread of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answer(self.path.partition("?")[0])
            self.send_response(found.status)
            for name, value in {"Content-Type": found.content_type, **found.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(found.body)

        do_HEAD = do_GET  # noqa: N815 (http.server's name)

        def log_message(self, *_: object) -> None:
            """Log nothing: the load balancer checks several times a second."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = False  # server_close waits for requests in flight

    server = Server(("", port), Handler)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"listening on {port}, release {release()[:7]}", flush=True)  # noqa: T201 (the container's log)
    ending.wait()
    threading.Event().wait(DRAIN_SECONDS)
    server.shutdown()
    server.server_close()
    print("drained", flush=True)  # noqa: T201 (as above)


def release() -> str:
    """The commit that this container was made from."""
    return os.environ.get("GIT_SHA", "unknown")
