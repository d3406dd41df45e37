"""HTTP/1.1 on loopback for the simulator, and its own two addresses for the clock."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.parse
from collections.abc import Callable
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.simulator.clock import VirtualClock
from tests.simulator.errors import ConnectionCut
from tests.simulator.protocol import Request, Response


class HttpServer:
    """Serves ``answer`` on a free port. ``POST /_sim/advance {"seconds": n}`` and ``GET /_sim/now`` drive the clock.

    A response of status 0 closes the connection without a word.
    """

    def __init__(self, answer: Callable[[Request], Response], clock: VirtualClock) -> None:
        self.answer, self.clock = answer, clock
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start() or use it as a context manager")
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        owner = self

        class Handler(_Handler):
            simulator = owner

        server = _Server(("127.0.0.1", 0), Handler)
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

    def control(self, request: Request) -> Response:
        if request.path == "/_sim/advance":
            self.clock.advance(float(json.loads(request.body)["seconds"]))
        elif request.path != "/_sim/now":
            return Response(404)
        body = {"now": self.clock.now, "time": self.clock.moment.isoformat()}
        return Response(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news."""


class _Handler(BaseHTTPRequestHandler):
    simulator: HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )
        try:
            own = request.path.startswith("/_sim/")
            response = self.simulator.control(request) if own else self.simulator.answer(request)
        except ConnectionCut:
            response = Response(0)
        if response.status == 0:
            self.close_connection = True
            return
        body = b"" if self.command == "HEAD" else response.body
        date = formatdate(int(self.simulator.clock.stamp), usegmt=True)
        headers = {"Date": date, "Content-Length": str(len(response.body)), **response.headers}
        lines = [f"HTTP/1.1 {response.status} {responses.get(response.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with contextlib.suppress(ConnectionError):
            self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: ``calls`` is the log."""
