"""The load balancer: listener rules, targets, and the errors that an Application Load Balancer generates.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
"""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import parse_qs, unquote

import h11
from ministack.core.responses import request_scope
from ministack.services import alb

from deploykit.sandbox.server.data_plane.messages import Request, Response
from deploykit.sandbox.server.data_plane.targets import Target, Targets
from deploykit.sandbox.server.data_plane.wire import fetch
from deploykit.sandbox.settings import Settings

REASONS = {502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}
TARGET_SECONDS = 60.0


class Balancer:
    """Every request to the sandbox's load balancer goes through ``answer``."""

    def __init__(self, settings: Settings, targets: Targets) -> None:
        self.settings = settings
        self.targets = targets
        self._turn = itertools.count()

    async def answer(self, request: Request) -> Response:
        """Route ``request`` by the listener's rules to one healthy target, on a new connection."""
        action = self._action(request)
        if action.get("Type") == "fixed-response":
            fixed = action.get("FixedResponseConfig") or {}
            kind = fixed.get("ContentType") or "text/plain"
            body = str(fixed.get("MessageBody") or "").encode()
            return Response(int(fixed.get("StatusCode") or 503), [("Content-Type", kind)], body)
        group = action.get("TargetGroupArn") or ""
        target = self._choose(group)
        if target is None:
            return _error(503)
        target.in_flight += 1
        try:
            return await fetch(target.address, target.port, self._forwarded(request), TARGET_SECONDS)
        except TimeoutError:
            return _error(504)
        except (OSError, h11.ProtocolError):
            return _error(502)
        finally:
            target.in_flight -= 1

    def _action(self, request: Request) -> dict[str, Any]:
        with request_scope(self.settings.account, self.settings.region):
            headers = {k.lower(): v for k, v in request.headers}
            query = parse_qs(request.query, keep_blank_values=True)
            path = unquote(request.path)
            for rule in sorted(alb._rules.values(), key=alb._rule_sort_key):
                conditions = rule.get("Conditions") or []
                if all(alb._match_condition(c, request.method, path, headers, query) for c in conditions):
                    actions: list[dict[str, Any]] = rule.get("Actions") or [{}]
                    return actions[-1]
        return {}

    def _choose(self, group: str) -> Target | None:
        """The next healthy target in turn; with none healthy, an unhealthy one (the load balancer fails open)."""
        known = self.targets.of(group)
        for state in ("healthy", "unhealthy"):
            if able := [t for t in known if t.state == state]:
                return able[next(self._turn) % len(able)]
        return None

    def _forwarded(self, request: Request) -> Request:
        before = request.header("X-Forwarded-For")
        added = {
            "x-forwarded-for": f"{before}, {request.client}" if before else request.client,
            "x-forwarded-proto": request.header("X-Forwarded-Proto") or "http",
            "x-forwarded-port": str(self.settings.balancer_port),
        }
        headers = [h for h in request.headers if h[0].lower() not in added]
        return Request(request.method, request.target, headers + list(added.items()), request.body, request.client)


def _error(status: int) -> Response:
    """An error of the load balancer's own; ``Server: awselb/2.0`` tells it from the application's."""
    title = f"{status} {REASONS[status]}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>\r\n"
    headers = [("Server", "awselb/2.0"), ("Content-Type", "text/html")]
    return Response(status, headers, f"{body}</html>\r\n".encode())
