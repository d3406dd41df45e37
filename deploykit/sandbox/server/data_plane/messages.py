"""Requests and responses as the load balancer and the edge forward them."""

from __future__ import annotations

from dataclasses import dataclass, field

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """A request as it arrived; ``target`` is path and query, undecoded."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    client: str = ""

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Response:
    """A response: ``headers`` without hop-by-hop ones, the complete ``body``."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    def with_headers(self, *more: tuple[str, str]) -> Response:
        """This response with ``more`` in place of any headers of the same names."""
        names = {name.lower() for name, _ in more}
        return Response(self.status, [h for h in self.headers if h[0].lower() not in names] + list(more), self.body)
