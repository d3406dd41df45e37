"""Asking endpoints over HTTP: many at once, each request on a connection of its own, each under one deadline.

Trouble with an endpoint is a `Reading`, never an exception. Proxies out of the environment are not used: what a proxy
answers (from its cache, or in an endpoint's place) would be judged as if the endpoint had said it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from deploykit.config.checks import Endpoint
from deploykit.edges.clock import Clock, Deadline, SystemClock
from deploykit.errors import ConfigError
from deploykit.model.probe import Reading
from deploykit.probes.expect import BODY_LIMIT, Answer, failures, version_of
from deploykit.probes.trouble import NotHttp, RedirectLoop, failed
from deploykit.probes.wire import Resolver, Wire, default_tls, dial, left

AT_ONCE = 200  # requests under way: 1,000 endpoints at 100 ms in 0.6 s, and below the 256 open files of macOS
REDIRECTS = 10
_URL_SAFE = "/?:@!$&'()*+,;=%~-._"  # what may stand in a path and query as it is
_PRIVATE = ("authorization", "cookie", "proxy-authorization")  # not carried along to another host


@dataclass(frozen=True)
class Question:
    """One request to send: an endpoint, and the whole address where it is asked."""

    endpoint: Endpoint
    url: str


@dataclass(frozen=True)
class ConnectTo:
    """Where connections to ``host`` go instead, as ``curl --connect-to``: URL, Host, SNI and certificate name stay."""

    host: str
    to_host: str
    to_port: int

    @classmethod
    def parse(cls, base_url: str, address: str) -> ConnectTo:
        """From the base URL, whose host alone is meant (any port), and ``HOST:PORT``."""
        to_host, _, port = address.rpartition(":")
        return cls((urlsplit(base_url).hostname or "").lower(), to_host.strip("[]"), int(port))


def ask(
    questions: Sequence[Question],
    *,
    timeout: float,
    samples: int = 1,
    connect_to: ConnectTo | None = None,
    tls: ssl.SSLContext | None = None,
    clock: Clock | None = None,
) -> list[Reading]:
    """Every question ``samples`` times, all at once; readings in the order of the questions, samples side by side.

    ``timeout`` is seconds for one whole request: name, connection, handshake, redirects and the last byte of the body.
    A reading's latency begins with the connection: the name is looked up once per round. ``tls`` is the context to
    verify certificates with, by default the system's and certifi's authorities.
    """
    asker = _Asker(timeout, connect_to, tls, clock or SystemClock())
    # Sample by sample, so that the samples of one endpoint are spread over the round.
    turns = [(question, turn) for turn in range(samples) for question in questions]
    if not turns:
        return []
    pool = ThreadPoolExecutor(max_workers=min(len(turns), AT_ONCE), thread_name_prefix="probe")
    try:
        readings = list(pool.map(lambda each: asker.ask(*each), turns))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [readings[turn * len(questions) + number] for number in range(len(questions)) for turn in range(samples)]


@dataclass(frozen=True)
class Prober:
    """Asks an environment's endpoints: where they are, and how often and how long one round asks.

    ``base_url`` may be None where every endpoint has an address of its own; durations are seconds.
    """

    base_url: str | None
    timeout: float
    samples: int
    connect_to: str | None = None
    tls: ssl.SSLContext | None = None
    clock: Clock = field(default_factory=SystemClock)

    def __call__(self, endpoints: Sequence[Endpoint], samples: int | None = None) -> list[Reading]:
        """One round. Raises ConfigError for an endpoint with a path and an environment without a url."""
        connect_to = ConnectTo.parse(self.base_url, self.connect_to) if self.base_url and self.connect_to else None
        return ask(
            [Question(endpoint, self._address(endpoint)) for endpoint in endpoints],
            timeout=self.timeout,
            samples=self.samples if samples is None else samples,
            connect_to=connect_to,
            tls=self.tls,
            clock=self.clock,
        )

    def _address(self, endpoint: Endpoint) -> str:
        if self.base_url is None and endpoint.url is None:
            raise ConfigError(
                f"endpoint {endpoint.id!r} has a path, and the environment has no url to put before it",
                hint='add url = "https://…" to the environment, or give the endpoint a url of its own',
            )
        return endpoint.address(self.base_url or "")


@dataclass(frozen=True)
class _Asker:
    timeout: float
    connect_to: ConnectTo | None
    tls: ssl.SSLContext | None
    clock: Clock
    resolver: Resolver = field(default_factory=Resolver)

    def ask(self, question: Question, turn: int) -> Reading:
        endpoint = question.endpoint
        exchange = _Exchange(self, turn, Deadline(self.clock, self.timeout))
        try:
            answer = exchange.answer(endpoint, question.url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failure, prober = failed(error, exchange.connected, self.timeout)
            return Reading(endpoint.id, (failure,), latency=exchange.latency, prober=prober)
        return Reading(
            endpoint.id,
            failures(endpoint.expect, answer),
            answer.status,
            answer.latency,
            version_of(endpoint.version, answer),
            answer.cached,
            answer.age,
        )


class _Exchange:
    """One request and the redirects it leads to."""

    def __init__(self, asker: _Asker, turn: int, deadline: Deadline) -> None:
        self.asker = asker
        self.turn = turn
        self.deadline = deadline
        self.connected = False  # the other side took a connection: from here on trouble is in its answer
        self._began: float | None = None

    @property
    def latency(self) -> float | None:
        """Seconds since the first connection was begun; None before."""
        return None if self._began is None else self.asker.clock.monotonic() - self._began

    def answer(self, endpoint: Endpoint, url: str) -> Answer:
        method, headers, body = _request(endpoint)
        for _ in range(REDIRECTS + 1):
            answer = self._once(method, url, headers, body)
            location = answer.header("location")
            if not endpoint.follow_redirects or answer.status not in (301, 302, 303, 307, 308) or location is None:
                return answer
            target = urljoin(url, location)
            if _origin(target) != _origin(url):
                headers = {name: value for name, value in headers.items() if name.lower() not in _PRIVATE}
            # 303 always, 301 and 302 in practice: https://www.rfc-editor.org/rfc/rfc9110#section-15.4
            if (answer.status == 303 and method != "HEAD") or (answer.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            url = target
        raise RedirectLoop(f"more than {REDIRECTS} redirects, the last to {url}")

    def _once(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Answer:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise NotHttp(f"{url} is no http or https address")
        secure = address.scheme == "https"
        port = address.port or (443 if secure else 80)
        host, to_port = self._target(address.hostname, port)
        addresses = self.asker.resolver.addresses(host, to_port, self.deadline)
        if self._began is None:
            self._began = self.asker.clock.monotonic()
        connection = dial(addresses, self.turn, self.deadline)
        try:
            if secure:
                connection.settimeout(left(self.deadline))
                connection = (self.asker.tls or default_tls()).wrap_socket(connection, server_hostname=address.hostname)
            self.connected = True
            days = self._certificate_days(connection)
            client = http.client.HTTPConnection(address.hostname, port)
            client.default_port = 443 if secure else 80  # the port that the Host header leaves out
            client.sock = Wire(connection, self.deadline)
            client.request(method, _path(address), body, headers)
            response = client.getresponse()
            content = response.read(BODY_LIMIT + 1) if method != "HEAD" else b""
            latency = self.asker.clock.monotonic() - self._began
            received = tuple(response.getheaders())
            # read(n) takes a body that ends early for a whole one
            if response.length and len(content) <= BODY_LIMIT:
                raise http.client.IncompleteRead(content, response.length)
            truncated = len(content) > BODY_LIMIT
            return Answer(response.status, received, content[:BODY_LIMIT], truncated, latency, days)
        finally:
            connection.close()

    def _target(self, host: str, port: int) -> tuple[str, int]:
        instead = self.asker.connect_to
        return (instead.to_host, instead.to_port) if instead and instead.host == host.lower() else (host, port)

    def _certificate_days(self, connection: Any) -> float | None:
        if not isinstance(connection, ssl.SSLSocket):
            return None
        ends = (connection.getpeercert() or {}).get("notAfter")
        if not isinstance(ends, str):
            return None
        return (ssl.cert_time_to_seconds(ends) - self.asker.clock.now().timestamp()) / 86400


def _request(endpoint: Endpoint) -> tuple[str, dict[str, str], bytes | None]:
    headers = {"User-Agent": "deploykit", "Accept": "*/*", "Connection": "close"}
    given = {name.lower() for name in endpoint.headers}
    body: bytes | None = None
    if isinstance(endpoint.body, str):
        body = endpoint.body.encode()
    elif endpoint.body is not None:
        body = json.dumps(endpoint.body, ensure_ascii=False, default=str).encode()
        headers["Content-Type"] = "application/json"
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    return endpoint.method, headers | endpoint.headers, body


def _path(address: SplitResult) -> str:
    path = quote(address.path or "/", safe=_URL_SAFE)
    return f"{path}?{quote(address.query, safe=_URL_SAFE)}" if address.query else path


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
