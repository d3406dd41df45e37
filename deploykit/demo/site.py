"""What users get: the demo's own requests through the edge, independent of what deploykit reports."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from deploykit.model import release

PAGES = ("/", "/about", "/projects", "/contact")
PATHS = (*PAGES, "/health", "/api/health", "/api/projects")
HEALTH_PATHS = ("/health", "/api/health")
TIMEOUT = 10.0


@dataclass(frozen=True)
class Served:
    """The release that each service shows to users, and what is wrong with its answers."""

    versions: dict[str, str | None]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """The platform's address: ``url`` is what users type, ``connect_to`` (host:port) where the edge listens."""

    url: str
    connect_to: str

    def served(self) -> Served:
        """Request every page and both health endpoints once, through the edge and its cache."""
        problems: list[str] = []
        pages = {path: self._release_of(path, problems) for path in PAGES}
        health = self._version_of("/health", problems)
        api = self._version_of("/api/health", problems)
        for path, version in pages.items():
            if version != health:
                problems.append(f"{path} shows {short(version)}, the frontend's tasks are {short(health)}")
        return Served({"api": api, "frontend": pages["/"]}, tuple(problems))

    def _release_of(self, path: str, problems: list[str]) -> str | None:
        status, headers, _ = self._get(path)
        if status != 200:
            problems.append(f"{path} answers {status}")
        return headers.get("X-Release")

    def _version_of(self, path: str, problems: list[str]) -> str | None:
        status, _, body = self._get(path)
        try:
            told = json.loads(body)
        except ValueError:
            told = {}
        if status != 200 or told.get("status") != "ok":
            problems.append(f"{path} answers {status} with status {told.get('status')!r}")
        version = told.get("version")
        return version if isinstance(version, str) else None

    def _get(self, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.connect_to, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": urlsplit(self.url).netloc, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            return 0, http.client.HTTPMessage(), str(error).encode()
        finally:
            connection.close()


def short(version: str | None) -> str:
    """A commit as people read it."""
    return release.short(version) if version else "nothing"
