"""A real HTTP server on loopback that behaves as badly as a test asks, by path."""

from __future__ import annotations

import contextlib
import gzip
import socket
import socketserver
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tls = tls
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []  # method, path, headers, body
        self.server_names: list[str | None] = []
        self.connections = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.connections += 1
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    delays: ClassVar[dict[str, float]] = {"/slow": 0.1, "/late": 30.0}

    def log_message(self, format: str, *args: object) -> None: ...

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        path = self.path.partition("?")[0]
        time.sleep(self.delays.get(path, 0.0))
        getattr(self, "do" + path.replace("/", "_").rstrip("_"), self.do_plain)()

    do_GET = do_HEAD = do_POST = do_PUT = _answer  # noqa: N815

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_plain(self) -> None:
        self._send(200, b'{"status": "ok", "version": "abc"}', Content_Type="application/json", Age="3")

    def do_broken(self) -> None:
        self._send(500, b"oops")

    def do_once(self) -> None:
        self._send(302, Location="/target")

    def do_loop(self) -> None:
        self._send(302, Location="/loop")

    def do_away(self) -> None:
        self._send(307, Location=f"http://localhost:{self.server.port}/target")

    def do_nowhere(self) -> None:
        self._send(302, Location="ftp://example.com/x")

    def do_gzip(self) -> None:
        """Compressed, whatever Accept-Encoding said."""
        self._send(200, gzip.compress(b'{"status": "ok"}'), Content_Encoding="gzip")

    def do_deflate(self) -> None:
        self._send(200, zlib.compress(b'{"status": "ok"}'), Content_Encoding="deflate")

    def do_deflate_raw(self) -> None:
        """As some servers read RFC 9110 8.4.1.2: deflate without zlib's frame."""
        self._send(200, zlib.compress(b'{"status": "ok"}', wbits=-15), Content_Encoding="deflate")

    def do_gzip_broken(self) -> None:
        self._send(200, b"this is no gzip", Content_Encoding="gzip")

    def do_gzip_bomb(self) -> None:
        self._send(200, gzip.compress(b"hello" * 10_000_000), Content_Encoding="gzip")

    def do_latin(self) -> None:
        self._send(200, "Grüße".encode("iso-8859-1"), Content_Type="text/html; charset=ISO-8859-1")

    def do_latin_json(self) -> None:
        self._send(200, '{"word": "Grüße"}'.encode("iso-8859-1"), Content_Type='application/json; charset="latin1"')

    def do_html(self) -> None:
        self._send(200, "Grüße".encode(), Content_Type="text/html")

    def do_klingon(self) -> None:
        self._send(200, "Grüße".encode(), Content_Type="text/html; charset=klingon")

    def do_login(self) -> None:
        self._send(302, Location="/target", Set_Cookie="session=abc; Path=/")

    def do_early(self) -> None:
        """Informational answers before the real one: https://www.rfc-editor.org/rfc/rfc9110#section-15.2."""
        self.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        self.do_plain()

    def do_many_headers(self) -> None:
        self._send(200, b"", **{f"X-{number}": "1" for number in range(150)})

    def do_odd(self) -> None:
        self._send(302, Location="http://[::1/")

    def do_drip(self) -> None:
        """A byte of the body every 50 ms: no single read is slow, the whole never ends."""
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(400):
                self.wfile.write(b"x")
                time.sleep(0.05)

    def do_dripping_headers(self) -> None:
        with contextlib.suppress(OSError):
            for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Long: 1\r\n" * 200:
                self.wfile.write(bytes([byte]))
                time.sleep(0.05)

    def do_huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"hello" * 10_000)

    def do_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")

    def do_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def do_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"only this")
        self.close_connection = True

    def do_short_chunk(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhel")
        self.close_connection = True

    def do_babble(self) -> None:
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")
        self.close_connection = True


@contextlib.contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that runs while the block does."""
    with Server(tls) as server:
        if tls:
            tls.sni_callback = lambda _socket, name, _context: server.server_names.append(name)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
