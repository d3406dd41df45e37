"""Asks endpoints over HTTP: many at once, each request on its own connection and under one deadline.

Trouble with an endpoint is a `Reading`, never an exception. Proxies of the environment are not used: a proxy's answer
(from its cache, or instead of the endpoint) would be judged as the endpoint's.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException

from requests import Request
from urllib3.exceptions import HTTPError

from deploykit.config.checks import Endpoint
from deploykit.edges.clock import Clock, Deadline, SystemClock
from deploykit.errors import ConfigError
from deploykit.model.probe import Reading
from deploykit.probes.expect import BODY_LIMIT, Answer, failures, version_of
from deploykit.probes.transport import ConnectTo, Route, Transport
from deploykit.probes.trouble import failed

AT_ONCE = 200  # requests in flight: 1,000 endpoints at 100 ms take a second; macOS allows 256 open files


@dataclass(frozen=True)
class Question:
    """One request to send: an endpoint and its whole address."""

    endpoint: Endpoint
    url: str


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

    ``timeout``: seconds for one whole request: DNS, connection, handshake, redirects and the last byte of the body.
    Latency counts only connections to addresses that answer: not DNS (asked once a round), nor dead addresses. ``tls``:
    the context that verifies certificates, by default `default_tls`.
    """
    clock, route = clock or SystemClock(), Route(connect_to, tls)

    def reading(question: Question, turn: int) -> Reading:
        return _ask(question, Transport(route, turn, Deadline(clock, timeout)))

    # Sample by sample, which spreads the samples of one endpoint over the round.
    turns = [(question, turn) for turn in range(samples) for question in questions]
    if not turns:
        return []
    pool = ThreadPoolExecutor(max_workers=min(len(turns), AT_ONCE), thread_name_prefix="probe")
    try:
        readings = list(pool.map(lambda each: reading(*each), turns))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [readings[turn * len(questions) + number] for number in range(len(questions)) for turn in range(samples)]


@dataclass(frozen=True)
class Prober:
    """Asks an environment's endpoints, each ``samples`` times a round, with ``timeout`` seconds for each request.

    ``base_url`` may be None where every endpoint has its own address.
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
                f"endpoint {endpoint.id!r} has only a path, and the environment has no url",
                hint='add url = "https://…" to the environment, or give the endpoint its own url',
            )
        return endpoint.address(self.base_url or "")


def _ask(question: Question, transport: Transport) -> Reading:
    endpoint = question.endpoint
    try:
        answer = _answer(endpoint, question.url, transport)
    except (OSError, HTTPException, HTTPError, ValueError) as error:
        failure, prober = failed(error, transport.connected, transport.deadline.seconds)
        return Reading(endpoint.id, (failure,), latency=transport.latency, prober=prober)
    return Reading(
        endpoint.id,
        failures(endpoint.expect, answer),
        answer.status,
        answer.latency,
        version_of(endpoint.version, answer),
        answer.cached,
        answer.age,
    )


def _answer(endpoint: Endpoint, url: str, transport: Transport) -> Answer:
    headers = {"User-Agent": "deploykit", "Accept": "*/*", "Connection": "close"}
    body: bytes | None = None
    if isinstance(endpoint.body, str):
        body = endpoint.body.encode()
    elif endpoint.body is not None:
        body = json.dumps(endpoint.body, ensure_ascii=False, default=str).encode()
        headers["Content-Type"] = "application/json"
    session = transport.session(headers | endpoint.headers)
    request = session.prepare_request(Request(endpoint.method, url, data=body))
    # Even if it must not follow redirects, a session parses their address, and fails where it is none.
    response = session.send(request) if endpoint.follow_redirects else transport.send(request)
    # Without a charset, requests still decodes text/* as ISO-8859-1: https://www.rfc-editor.org/rfc/rfc7231#appendix-B
    named = "charset=" in response.headers.get("Content-Type", "").lower()
    return Answer(
        response.status_code,
        tuple(response.headers.items()),
        response.content[:BODY_LIMIT],
        len(response.content) > BODY_LIMIT,
        transport.latency or 0.0,
        transport.certificate_days,
        response.encoding if named else None,
    )
