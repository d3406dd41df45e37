"""The CDN's edge: finds the distribution of a request's host, and answers from its cache or from the origin.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

from __future__ import annotations

import secrets
import time

import h11
from ministack.core.responses import request_scope
from ministack.services import alb, cloudfront

from deploykit.sandbox.server.data_plane import distribution as distributions
from deploykit.sandbox.server.data_plane.balancer import Balancer
from deploykit.sandbox.server.data_plane.cache import CachedObject, EdgeCache, lifetime
from deploykit.sandbox.server.data_plane.distribution import Distribution
from deploykit.sandbox.server.data_plane.messages import Request, Response
from deploykit.sandbox.server.data_plane.wire import fetch
from deploykit.sandbox.settings import LOOPBACK, Settings

CACHED_METHODS = ("GET", "HEAD")
ORIGIN_SECONDS = 30.0


class Edge:
    """Every request of a user comes through ``answer``; without any distribution, the load balancer answers it."""

    def __init__(self, settings: Settings, balancer: Balancer, cache: EdgeCache) -> None:
        self.settings = settings
        self.balancer = balancer
        self.cache = cache

    async def answer(self, request: Request) -> Response:
        host = request.header("Host").partition(":")[0].lower()
        with request_scope(self.settings.account, self.settings.region):
            known = [distributions.load(d) for d in list(cloudfront._distributions.values())]
        if not known or (host and host == self.settings.origin_host):
            return await self.balancer.answer(request)
        found = next((d for d in known if host in (n.lower() for n in d.names)), None)
        if found is None:
            return _marked(_refusal(), "Error from cloudfront")
        return await self._cached(found, request)

    async def _cached(self, distribution: Distribution, request: Request) -> Response:
        origin, behavior = distribution.route(request.path)
        target = request.target if behavior.in_key else request.path
        key = (distribution.id, request.header("Host").lower(), target)
        readable = request.method in CACHED_METHODS
        now = time.time()
        if readable:
            kept = self.cache.find((*key, "GET"), now) or self.cache.find((*key, request.method), now)
            if kept:
                word = "Hit" if kept.answer.status < 400 else "Error"
                return _marked(kept.answer, f"{word} from cloudfront", ("Age", str(kept.age(now))))
        answer = await self._from_origin(origin, request)
        seconds = lifetime(answer, behavior, time.time()) if readable else 0.0
        if seconds > 0:
            stored = time.time()
            tags = frozenset(t.strip() for t in answer.header(distribution.tag_header or "-").split(",") if t.strip())
            self.cache.store((*key, request.method), CachedObject(answer, target, now, stored, stored + seconds, tags))
        return _marked(answer, f"{'Miss' if answer.status < 400 else 'Error'} from cloudfront")

    async def _from_origin(self, origin: tuple[str, str], request: Request) -> Response:
        domain, prefix = origin
        forwarded = Request(request.method, prefix + request.target, request.headers, request.body, request.client)
        with request_scope(self.settings.account, self.settings.region):
            is_balancer = any(lb["DNSName"].lower() == domain.lower() for lb in alb._lbs.values())
        if is_balancer:
            return await self.balancer.answer(forwarded)
        bucket, _, rest = domain.partition(".s3.")
        if not rest:
            return _refusal(502)
        stored = Request(request.method, f"/{bucket}{prefix}{request.path}", [("Host", self.settings.registry)])
        try:
            return await fetch(LOOPBACK, self.settings.gateway_port, stored, ORIGIN_SECONDS)
        except (OSError, TimeoutError, h11.ProtocolError):
            return _refusal(502)


def _marked(answer: Response, word: str, *more: tuple[str, str]) -> Response:
    via = ("Via", "1.1 sandbox.cloudfront.net (CloudFront)")
    named = ("X-Cache", word), via, ("X-Amz-Cf-Pop", "SBX50-P1"), ("X-Amz-Cf-Id", secrets.token_urlsafe(40))
    return answer.with_headers(*named, *more)


def _refusal(status: int = 403) -> Response:
    """The edge's own error page: no distribution has this host name, or the origin cannot be reached."""
    title = "ERROR: The request could not be satisfied"
    body = f"<html><head><title>{title}</title></head><body><h1>{status} ERROR</h1></body>"
    return Response(status, [("Server", "CloudFront"), ("Content-Type", "text/html")], f"{body}</html>".encode())
