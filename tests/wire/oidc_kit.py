"""GitHub's token endpoint and AWS STS on loopback: they refuse what the real ones refuse."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploykit.edges.aws.session import Aws, caller_account
from deploykit.edges.aws.web_identity import Wish, provider_for
from deploykit.edges.oidc import TokenEndpoint
from deploykit.errors import DeploykitError, OutOfReach
from tests.simulator import protocol
from tests.simulator.clock import VirtualClock, WallClock
from tests.simulator.errors import AwsError
from tests.simulator.protocol import Request, Response
from tests.simulator.server import HttpServer
from tests.simulator.small import Sts, Trust

ROLE = "arn:aws:iam::108581769167:role/shop-deploy"
BEARER = "secret of the job"
CLASSIC, IMMUTABLE = "repo:ann/shop:environment:prod", "repo:ann@12/shop@345:environment:prod"
CLAIMS = {
    "iss": "https://token.actions.githubusercontent.com",
    "sub": CLASSIC,
    "repository": "ann/shop",
    "repository_owner": "ann",
    "repository_id": "345",
    "repository_owner_id": "12",
}


def jwt(claims: dict[str, Any], number: int = 0) -> str:
    """A token with these claims, and a signature that nobody looks at."""

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part({**claims, 'jti': str(number)})}.c2lnbmF0dXJl"


class Tokens:
    """What a runner offers its job. ``failures`` are answered first, one each; ``given`` are the tokens handed out."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.claims: dict[str, Any] = dict(CLAIMS)
        self.lasts = 300.0  # seconds
        self.failures: list[Response] = []
        self.asked: list[Request] = []
        self.given: list[str] = []
        self.server = HttpServer(self.answer, clock)

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a job with ``permissions: id-token: write``."""
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_RUN_ID": "1234567890",
            "GITHUB_RUN_ATTEMPT": "2",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.server.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        if self.failures:
            return self.failures.pop(0)
        if request.headers.get("authorization") != f"bearer {BEARER}":
            return Response(401, b'{"message": "unauthorized"}')
        if request.query.get("api-version") != "2.0" or not request.query.get("audience"):
            return Response(400, b'{"message": "no audience"}')
        claims = {**self.claims, "aud": request.query["audience"], "exp": int(self.clock.stamp + self.lasts)}
        self.given.append(jwt(claims, len(self.given)))
        body = {"count": len(self.given[-1]), "value": self.given[-1]}
        return Response(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


@dataclass
class StsServer:
    """STS by itself. ``failures`` are raised first, one each; ``calls``: operation, and the key that signed it."""

    clock: VirtualClock
    sts: Sts
    failures: list[AwsError] = field(default_factory=list)
    calls: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)  # the parameters of each AssumeRoleWithWebIdentity

    def answer(self, request: Request) -> Response:
        operation, parameters = protocol.decode_query("sts", request)
        signed = re.search(r"Credential=([^/]+)/", request.headers.get("authorization", ""))
        self.calls.append((operation, signed[1] if signed else None))
        try:
            if operation == "AssumeRoleWithWebIdentity":
                self.asked.append(parameters)
                if self.failures:
                    raise self.failures.pop(0)
                found = self.sts.assume_role_with_web_identity(parameters)
            else:
                self._verify(signed[1] if signed else "")
                found = self.sts.get_caller_identity(parameters)
        except AwsError as error:
            return protocol.error_response("sts", "POST", error.code, error.message, error.status)
        return protocol.encode_query("sts", operation, found)

    def _verify(self, key: str) -> None:
        if key not in self.sts.handed:
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if self.sts.handed[key] <= self.clock.stamp:
            raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)

    @property
    def keys(self) -> list[str | None]:
        """The keys of the calls that were signed."""
        return [key for _, key in self.calls if key is not None]


@contextmanager
def tokens(clock: VirtualClock) -> Iterator[Tokens]:
    made = Tokens(clock)
    made.server.start()
    try:
        yield made
    finally:
        made.server.stop()


@contextmanager
def sts_server(clock: VirtualClock) -> Iterator[tuple[StsServer, str]]:
    """STS, whose one role trusts the job of `CLAIMS`, and its address."""
    made = StsServer(clock, Sts(clock, "108581769167"))
    made.sts.trusts[ROLE] = Trust((CLASSIC, IMMUTABLE))
    server = HttpServer(made.answer, clock)
    server.start()
    try:
        yield made, server.url
    finally:
        server.stop()


@dataclass
class Job:
    """A job of a workflow that is about to call AWS; ``masked`` is what its log hides."""

    tokens: Tokens
    sts: StsServer
    clock: WallClock
    masked: list[str] = field(default_factory=list)

    def endpoint(self, **changed: str) -> TokenEndpoint:
        environ = self.tokens.environ
        given = {
            "url": environ["ACTIONS_ID_TOKEN_REQUEST_URL"],
            "bearer": environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
            **changed,
        }
        return TokenEndpoint(given["url"], given["bearer"], self.clock, self.masked.append)

    def aws(self, role: str = ROLE, **more: str) -> Aws:
        wish = Wish("auto", "deploy", "prod", {"deploy": role}, "us-east-1")
        provider = provider_for(wish, self.tokens.environ | more, self.clock, self.masked.append)
        return Aws("us-east-1", credentials=provider)

    def refused(self, kind: type[DeploykitError] = OutOfReach) -> DeploykitError:
        """The error of one call, in which nothing secret stands."""
        with pytest.raises(kind) as caught:
            caller_account(self.aws())
        text = caught.value.message + caught.value.hint
        assert not [secret for secret in [*self.tokens.given, *self.masked, BEARER] if secret in text]
        return caught.value


@contextmanager
def a_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """A job without any other credentials; only STS is there of AWS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    clock = VirtualClock()
    with tokens(clock) as github, sts_server(clock) as (sts, url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
        yield Job(github, sts, clock.wall())
