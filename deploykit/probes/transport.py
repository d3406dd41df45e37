"""The transport that probes give to requests: one deadline, an address of our choice, a connection for each request.

requests itself limits the time of each read and not of the whole answer, decides when to ask DNS and reuse connections,
and cannot connect elsewhere while it keeps URL, Host, SNI and the certificate's name. The rest is left to requests.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Request, Response, Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from deploykit.edges.clock import Deadline
from deploykit.probes.expect import BODY_LIMIT
from deploykit.probes.trouble import NotHttp
from deploykit.probes.wire import Resolver, Wire, default_tls, dial, left

REDIRECTS = 10


@dataclass(frozen=True)
class ConnectTo:
    """Where connections to ``host`` go instead, as ``curl --connect-to``: URL, Host, SNI and certificate name stay."""

    host: str
    to_host: str
    to_port: int

    @classmethod
    def parse(cls, base_url: str, address: str) -> ConnectTo:
        """From the base URL, of which only the host matters, and ``HOST:PORT``."""
        to_host, _, port = address.rpartition(":")
        with contextlib.suppress(ValueError):  # no valid address: each reading reports it
            base_url = Request("GET", base_url).prepare().url or ""  # as it is sent: xn--… for letters beyond ASCII
        return cls((urlsplit(base_url).hostname or "").lower(), to_host.strip("[]"), int(port))


@dataclass(frozen=True)
class Route:
    """How a round's requests reach their hosts; ``tls`` None means `default_tls`."""

    connect_to: ConnectTo | None = None
    tls: ssl.SSLContext | None = None
    resolver: Resolver = field(default_factory=Resolver)


class Transport(HTTPAdapter):
    """Sends one probe's request, and those that its redirects lead to, before one deadline.

    ``turn``: the number of the sample, which decides the host's address to try first.
    """

    def __init__(self, route: Route, turn: int, deadline: Deadline) -> None:
        super().__init__()
        self.route = route
        self.turn = turn
        self.deadline = deadline
        self.connected = False  # from then on, trouble is in the answer
        self.latency: float | None = None  # seconds on connections that were made, to the last byte or the trouble
        self.certificate_days: float | None = None  # until the last connection's certificate ends; None without TLS

    def session(self, headers: dict[str, str]) -> Session:
        """A session that sends everything through this transport, with these headers only."""
        session = _Session()
        session.adapters.clear()
        session.mount("", self)  # for every scheme: the transport reports those that are not http
        session.trust_env = False
        session.max_redirects = REDIRECTS
        session.headers.clear()
        session.headers.update(headers)
        return session

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """The answer to one request, its body decoded and read to one byte past `BODY_LIMIT`.

        Raises OSError, ValueError, and what http.client and urllib3 raise; `trouble.failed` knows them.
        """
        address = urlsplit(request.url or "")
        secure = address.scheme == "https"
        if not (secure or address.scheme == "http") or not address.hostname:
            raise NotHttp(f"{request.url} is no http or https address")
        port = address.port or (443 if secure else 80)
        addresses = self.route.resolver.addresses(*self._target(address.hostname, port), self.deadline)
        tls = (self.route.tls or default_tls()) if secure else None  # before the latency begins
        connection, began = dial(addresses, self.turn, self.deadline)
        try:
            if tls:
                connection.settimeout(left(self.deadline))
                connection = tls.wrap_socket(connection, server_hostname=address.hostname)
            self.connected = True
            self.certificate_days = self._days(connection)
            client = (_SecureClient if secure else _Client)(address.hostname, port)
            client.sock = Wire(connection, self.deadline)
            method, path = request.method or "GET", request.path_url
            client.request(method, path, request.body, request.headers, preload_content=False)
            raw = client.getresponse()
            response = self.build_response(request, raw)
            response._content = raw.read(BODY_LIMIT + 1)  # requests would read all of it, for a redirect too
            return response
        finally:
            connection.close()
            self.latency = (self.latency or 0.0) + self.deadline.clock.monotonic() - began

    def _target(self, host: str, port: int) -> tuple[str, int]:
        instead = self.route.connect_to
        return (instead.to_host, instead.to_port) if instead and instead.host == host else (host, port)

    def _days(self, connection: socket.socket) -> float | None:
        certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
        ends = (certificate or {}).get("notAfter")
        now = self.deadline.clock.now().timestamp()
        return (ssl.cert_time_to_seconds(ends) - now) / 86400 if isinstance(ends, str) else None


class _Session(Session):
    def rebuild_auth(self, prepared_request: PreparedRequest, response: Response) -> None:
        """As requests does for Authorization: the endpoint's own Cookie header is sent to its own host only."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # the stubs leave it untyped
        first = (response.history or [response])[0]
        leaves = self.should_strip_auth(first.url, prepared_request.url)  # type: ignore[no-untyped-call]  # as above
        if "Cookie" in self.headers and not leaves:
            cookies = prepared_request.headers.get("Cookie"), self.headers["Cookie"]
            prepared_request.headers["Cookie"] = "; ".join(map(str, filter(None, cookies)))


class _Answer(http.client.HTTPResponse):
    def begin(self) -> None:
        """Skip informational answers, of which http.client knows only 100. 101, which nobody asks for, is final.

        https://www.rfc-editor.org/rfc/rfc9110#section-15.2
        """
        super().begin()
        while 100 < self.status < 200 and self.status != 101:
            self.headers = None  # type: ignore[assignment]  # begin reads only where there are none yet
            super().begin()


class _Client(HTTPConnection):
    response_class = _Answer


class _SecureClient(HTTPSConnection):  # for its default port, which the Host header omits; it does not connect
    response_class = _Answer
