"""The API: the projects in PostgreSQL, and its own health."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import projects
from serving import Answer, release, serve

SETTINGS = ("DB_HOST", "DB_PORT", "DB_NAME", "DB_USERNAME", "DB_PASSWORD")


def main() -> None:
    for name in SETTINGS:
        if not os.environ.get(name):
            sys.exit(f"api: the setting {name} is missing")
    try:
        projects.prepare()
    except projects.OutOfReach as error:
        sys.exit(f"api: cannot use PostgreSQL at {os.environ['DB_HOST']}: {error}")
    serve(int(os.environ.get("PORT", "3001")), answer)


def answer(path: str) -> Answer:
    routes = {"/api/health": health, "/api/projects": all_projects}
    if path not in routes:
        return _json(404, {"error": f"nothing at {path}"})
    try:
        return routes[path]()
    except projects.OutOfReach as error:
        return _json(503, {"status": "error", "database": "unreachable", "reason": str(error), "version": release()})


def health() -> Answer:
    projects.ping()
    return _json(200, {"status": "ok", "database": "connected", "version": release()})


def all_projects() -> Answer:
    return _json(200, projects.everything())


def _json(status: int, content: Any) -> Answer:
    body = json.dumps(content, indent=2).encode() + b"\n"
    headers = {"Cache-Control": "no-store", "X-Release": release()}
    return Answer(status, "application/json", body, headers)


if __name__ == "__main__":
    main()
