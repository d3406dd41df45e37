"""The address of the AWS API and the registry: MiniStack, behind the sandbox's own pages and injected faults."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from xml.sax.saxutils import escape

import ministack.app
import ministack.core.router

from deploykit.sandbox.server.faults import Faults, message
from deploykit.sandbox.server.operations import operation, signer
from deploykit.sandbox.settings import Settings

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Answers for services that MiniStack lacks, where the sandbox's list is really empty.
EMPTY: dict[str, dict[str, list[Any]]] = {
    "application-autoscaling:DescribeScalableTargets": {"ScalableTargets": []},
    "application-autoscaling:DescribeScalingPolicies": {"ScalingPolicies": []},
    "codedeploy:ListApplications": {"applications": []},
}


class Gateway:
    """The ASGI application the server serves."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self.settings = settings
        self.faults = faults
        registry = ministack.app.SERVICE_REGISTRY
        patterns = ministack.core.router.SERVICE_PATTERNS
        self._known = {"execute-api", "kinesis-firehose", *registry, *patterns}
        self._known.update(alias for entry in registry.values() for alias in entry.get("aliases", ()))
        self._known.update(e["credential_scope"] for e in patterns.values() if "credential_scope" in e)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await ministack.app.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        if path.startswith("/_deploykit/"):
            await self._own_page(scope["method"], path, await _whole(receive), send)
            return
        _, service = signer(headers)
        if not service:
            await ministack.app.app(scope, receive, send)
            return
        body = await _whole(receive)
        called = operation(scope["method"], path, query, headers, body)
        if await self._met_fault(called, service, headers, send):
            return
        if await self._lacking(called, service, headers, send):
            return
        await ministack.app.app(scope, _again(body, receive), send)

    async def _met_fault(self, called: str, service: str, headers: dict[str, str], send: Send) -> bool:
        fault = self.faults.take(called)
        if fault is None:
            return False
        await asyncio.sleep(fault.delay)
        if not fault.code:
            return False
        await _error(send, service, headers, fault.status, fault.code, message(fault, self.settings.account))
        return True

    async def _lacking(self, called: str, service: str, headers: dict[str, str], send: Send) -> bool:
        """Answer for a service that MiniStack lacks, which would search for seconds and block all other calls."""
        if called in EMPTY:
            await _send(send, 200, "application/x-amz-json-1.1", json.dumps(EMPTY[called]).encode())
            return True
        if service in self._known:
            return False
        text = f"The sandbox does not support {service}."
        await _error(send, service, headers, 400, "UnknownOperationException", text)
        return True

    async def _own_page(self, method: str, path: str, body: bytes, send: Send) -> None:
        page = path.removeprefix("/_deploykit/")
        status, answer = 200, b"{}"
        if page == "health":
            answer = json.dumps({"instance": self.settings.instance}).encode()
        elif page == "calls":
            answer = json.dumps(list(self.faults.calls)).encode()
            if method == "DELETE":
                self.faults.calls.clear()
        elif page == "faults":
            try:
                if method in ("PUT", "DELETE"):
                    self.faults.set(body if method == "PUT" else b"{}")
                answer = self.faults.show()
            except (ValueError, TypeError) as error:
                status, answer = 400, json.dumps({"error": str(error)}).encode()
        else:
            status = 404
        await _send(send, status, "application/json", answer)


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        event = await receive()
        parts.append(event.get("body", b""))
        if not event.get("more_body"):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns the body again, and then the client's next events (its disconnect)."""
    given = False

    async def once() -> dict[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once


async def _error(send: Send, service: str, headers: dict[str, str], status: int, code: str, text: str) -> None:
    """An AWS error in the protocol of the request."""
    if "x-amz-target" in headers:
        body = json.dumps({"__type": code, "message": text}).encode()
        await _send(send, status, "application/x-amz-json-1.1", body)
        return
    inner = f"<Code>{escape(code)}</Code><Message>{escape(text)}</Message>"
    error = f"<Error>{inner}</Error>"
    document = error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    await _send(send, status, "text/xml", document.encode())


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid.uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
