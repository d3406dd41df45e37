"""The data plane: what a request to the site gets, from a healthy task behind the path's rule."""

from __future__ import annotations

import fnmatch
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.simulator.ecs_state import EcsState, Task
from tests.simulator.protocol import Request, Response

Handler = Callable[[Request], Response | None]


@dataclass(frozen=True)
class Route:
    pattern: str
    service: str
    cluster: str


class Site:
    """Rules in the order they were given; ``secret`` finds the values of secrets for a container's environment."""

    def __init__(self, state: EcsState, seed: int, secret: Callable[[str], str | None]) -> None:
        self.state = state
        self.routes: list[Route] = []
        self.handler: Handler | None = None
        self.hits: dict[str, int] = {}
        self._random = random.Random(seed)
        self._secret = secret

    def environment(self, task: Task, container: str) -> dict[str, str]:
        """What a container sees: environment, secrets, overrides."""
        spec = next(c for c in task.definition.containers if c["name"] == container)
        found = {entry["name"]: entry.get("value", "") for entry in spec.get("environment", [])}
        for entry in spec.get("secrets", []):
            found[entry["name"]] = self._secret(entry["valueFrom"]) or ""
        for override in task.overrides.get("containerOverrides", []):
            if override.get("name") == container:
                found.update({entry["name"]: entry["value"] for entry in override.get("environment", [])})
        return found

    def candidates(self, route: Route) -> list[Task]:
        """The tasks a load balancer would send this request to."""
        service = self.state.services.get((route.cluster, route.service))
        if service is None:
            return []
        healthy = [t for t in self.state.tasks_of(service) if t.last_status == "RUNNING" and t.healthy]
        if not service.weights:
            return healthy
        serving = self._random.choices(list(service.weights), list(service.weights.values()))[0]
        return [t for t in healthy if t.deployment is not None and t.deployment.id == serving]

    def answer(self, request: Request) -> Response:
        own = self.handler(request) if self.handler else None
        if own is not None:
            return own
        route = next((r for r in self.routes if fnmatch.fnmatchcase(request.path, r.pattern)), None)
        if route is None:
            return Response(404, b"no rule for this path\n", {"Content-Type": "text/plain"})
        tasks = self.candidates(route)
        if not tasks:
            return Response(503, b"<html>503 Service Temporarily Unavailable</html>", {"Content-Type": "text/html"})
        task = self._random.choice(tasks)
        self.hits[task.id] = self.hits.get(task.id, 0) + 1
        return self._from(task, request.path)

    def _from(self, task: Task, path: str) -> Response:
        balanced = task.service.body.get("loadBalancers", []) if task.service else []
        name = balanced[0]["containerName"] if balanced else task.containers[0].name
        container = next(c for c in task.containers if c.name == name)
        env = self.environment(task, name)
        answers = container.behaviour.answers
        if answers is None:
            return _response(200, {"status": "ok", "version": env.get("GIT_SHA")}, {})
        chosen = answers.get(path, answers.get("*"))
        if chosen is None:
            return _response(404, {"message": f"Cannot GET {path}"}, {})
        status, body, *rest = chosen(env) if callable(chosen) else chosen
        return _response(status, body, dict(rest[0]) if rest else {})


def _response(status: int, body: Any, headers: dict[str, str]) -> Response:
    if isinstance(body, bytes | str):
        kind, raw = "text/html; charset=utf-8", body.encode() if isinstance(body, str) else body
    else:
        kind, raw = "application/json", json.dumps(body).encode()
    return Response(status, raw, {"Content-Type": kind, **headers})
