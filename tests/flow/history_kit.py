"""For the tests of history: GitHub on loopback, a workflow's shallow clone, and commits that lie beside each other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.flow.world import Done, World

TOKEN = "ghs_secret"


class GitHub(ThreadingHTTPServer):
    """Answers every request with ``status`` and ``body``, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body = b"{}"
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []  # path without its query, headers

    @property
    def environ(self) -> dict[str, str]:
        """The variables of a workflow of this GitHub."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"GITHUB_API_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "ann/shop"}

    def says(self, status: int, body: object) -> None:
        self.status, self.body = status, body if isinstance(body, bytes) else json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        self.server.asked.append((self.path.partition("?")[0], dict(self.headers.items())))
        self.send_response(self.server.status)
        for name, value in {"Content-Length": str(len(self.server.body)), **self.server.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)


@contextmanager
def serving() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def compare_api(world: World, status: int, body: object) -> Iterator[list[tuple[str, dict[str, str]]]]:
    """The world of a workflow whose GitHub answers so; what that was asked."""
    with serving() as github:
        github.says(status, body)
        before = dict(world.environ)
        world.environ.update(github.environ)
        yield github.asked
        world.environ.clear()
        world.environ.update(before)


def publish(world: World) -> Path:
    """All branches, in a bare repository that is the world's origin."""
    origin = world.folder.parent / "origin.git"
    if not origin.exists():
        world.git("init", "-q", "--bare", "-b", "main", str(origin))
        world.git("remote", "add", "origin", f"file://{origin}")
    world.git("push", "-q", "--all", "--force", "origin")
    return origin


def checkout(world: World, monkeypatch: pytest.MonkeyPatch, branch: str = "main") -> World:
    """As a workflow has it: the same world in a clone of one commit, the last of ``branch``."""
    folder = world.folder.parent / f"ci-{branch}"
    world.git("clone", "-q", "--depth=1", "--branch", branch, f"file://{publish(world)}", str(folder))
    monkeypatch.chdir(folder)
    return replace(world, folder=folder)


def branched(world: World) -> tuple[str, str]:
    """``ours`` and ``theirs``, two commits on branches of these names that begin at one commit."""
    world.commit("base")
    world.git("checkout", "-q", "-b", "theirs")
    theirs = world.commit("theirs")
    world.git("checkout", "-q", "-b", "ours", "HEAD~")
    return world.commit("ours"), theirs


def shallow(world: World) -> bool:
    return world.git("rev-parse", "--is-shallow-repository") == "true"


def refused(done: Done, *words: str) -> bool:
    """True where the command was refused, people were told ``words``, and nothing that runs was touched."""
    touched = [call for call in done.changing if call != "PutObject"]  # the ledger may remember a refusal
    assert (done.code, touched) == (4, []), done.people
    assert TOKEN not in done.people + json.dumps(done.document)
    missing = [word for word in words if word not in done.people]
    assert not missing, (missing, done.people)
    return True


def listed(world: World, *argv: str) -> str:
    """The one refusal of a plan, which ends 0."""
    plan = world.run("plan", *argv)
    assert (plan.code, plan.changing, len(plan.document["refusals"])) == (0, [], 1), plan.people
    return str(plan.document["refusals"][0])
