"""Whole releases as their users make them: a git repository, a sandbox of its own, and ``deploykit`` as a command."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploykit.sandbox import images
from tests.unit import git_kit

Json = dict[str, Any]
APP = Path(__file__).with_name("e2e_app")
DEPLOYKIT = (sys.executable, "-m", "deploykit")
CHANGING = ("Create", "Update", "Register", "Deregister", "Put", "Delete", "Tag", "Untag", "Stop", "Run", "Start")
_FOREIGN = ("AWS_", "DEPLOYKIT_", "GIT_", "GITHUB_", "XDG_STATE_HOME")
_PATIENCE = 60.0  # seconds until what is waited for has surely gone wrong


@dataclass(frozen=True)
class Ended:
    """One command that ended: exit code, ``--json`` document, and what people were told."""

    code: int
    document: Json
    people: str

    def finding(self, name: str) -> Json:
        """The finding of this id; the test fails when there is none, or more than one."""
        found = [each for each in self.document["findings"] if each["id"] == name]
        assert len(found) == 1, self.document["findings"]
        return dict(found[0])

    def steps(self) -> dict[str, str]:
        return {step["name"]: step["status"] for step in self.document["steps"]}


@dataclass(frozen=True)
class Answer:
    """What one request on a connection of its own was answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: str

    def json(self) -> Json:
        return dict(json.loads(self.body))


class Running:
    """A command that is still on its way, ended at the end of a ``with`` at the latest."""

    def __init__(self, project: Project, arguments: tuple[str, ...]) -> None:
        self._told = project.folder.parent / "told.txt"
        with self._told.open("w") as told:
            self._process = subprocess.Popen(
                (*DEPLOYKIT, *arguments, "--json"), cwd=project.folder, env=project.environ, stdout=subprocess.PIPE,
                stderr=told, text=True,
            )  # fmt: skip

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def hears(self, words: str) -> None:
        """Wait until people are told ``words``."""
        end = time.monotonic() + _PATIENCE
        while words not in self._told.read_text():
            assert self._process.poll() is None, f"ended before {words!r}:\n{self._told.read_text()}"
            assert time.monotonic() < end, f"{words!r} was not said:\n{self._told.read_text()}"
            time.sleep(0.05)

    def end(self, number: int = 0) -> Ended:
        """Send it a signal, or none; how it ended (a killed one without a document)."""
        self._process.send_signal(number)
        assert self._process.stdout is not None
        text = self._process.stdout.read()
        self._process.wait(_PATIENCE)
        return Ended(self._process.returncode, json.loads(text) if text else {}, self._told.read_text())


@dataclass
class Project:
    """A repository in ``folder`` whose ``deploykit.toml`` is the test's own; ``environ`` leads into its sandbox."""

    folder: Path
    environ: dict[str, str]
    addresses: Json = field(default_factory=dict)  # of `sandbox status`

    def run(self, *arguments: str, **more: str) -> Ended:
        """``deploykit ARGUMENTS --json``, with ``more`` in its environment."""
        done = subprocess.run(
            (*DEPLOYKIT, *arguments, "--json"), cwd=self.folder, env={**self.environ, **more}, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.stdout, done.stderr
        document: Json = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode
        return Ended(done.returncode, document, done.stderr)

    def start(self, *arguments: str) -> Running:
        return Running(self, arguments)

    def commit(self, subject: str, **turns: str) -> str:
        """A commit with which each of the services named takes this turn (``e2e_app``); its SHA."""
        files = {
            f"{service}/turn.json": json.dumps({"turn": turn, "subject": subject}) for service, turn in turns.items()
        }
        return git_kit.commit(self.folder, files, subject)

    def write(self, files: Mapping[str, str]) -> None:
        git_kit.write(self.folder, files)

    def ask(self, path: str, *, host: str, behind: bool = False) -> Answer:
        """GET ``path`` at the edge, or at the load balancer behind it."""
        connection = http.client.HTTPConnection(self.addresses["load_balancer" if behind else "connect_to"], timeout=10)
        connection.request("GET", path, headers={"Host": host, "Connection": "close"})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)

    def calls(self) -> list[str]:
        """``service:Operation`` of every call the sandbox got since they were last forgotten, in order."""
        return list(self._own("GET", "calls"))

    def forget_calls(self) -> None:
        self._own("DELETE", "calls")

    def changes(self) -> list[str]:
        """Those calls among them that change something; what is written to the state bucket is not counted."""
        calls = [call for call in self.calls() if call.partition(":")[2].startswith(CHANGING)]
        return [call for call in calls if not call.startswith("s3:")]

    def fault(self, *faults: Json, edge: str | None = None) -> None:
        """What is to go wrong from now on, instead of what was."""
        self._own("PUT", "faults", {"faults": faults, "edge": edge})

    def _own(self, method: str, page: str, body: Json | None = None) -> Any:
        address = self.addresses["endpoint_url"].removeprefix("http://")
        connection = http.client.HTTPConnection(address, timeout=10)
        connection.request(method, f"/_deploykit/{page}", json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, text
        return json.loads(text)


def denied(*operations: str) -> list[Json]:
    """Faults: these operations are not allowed any more."""
    return [{"operation": name, "code": "AccessDenied", "status": 403, "times": 1000} for name in operations]


@contextmanager
def project(folder: Path, configuration: str, services: tuple[str, ...]) -> Iterator[Project]:
    """A committed project of ``services`` (folders of ``e2e_app``) in a sandbox of its own, which is gone afterwards.

    ``{base}`` in the configuration becomes the name of an image with Python in it.
    """
    here = folder / "work"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    made = Project(here, {**kept, "XDG_STATE_HOME": str(folder / "state")})
    for service in services:
        shutil.copytree(APP, here / service)
        made.write({f"{service}/turn.json": json.dumps({"turn": "well"})})
    base = images.python_base(lambda _: None)
    git_kit.commit(here, {"deploykit.toml": configuration.replace("{base}", base), ".gitignore": "*.local\nledger/\n"})
    try:
        up = made.run("sandbox", "up")
        assert up.code == 0, up.people
        made.addresses = up.document
        made.environ |= _environment(made)
        yield made
    finally:
        down = made.run("sandbox", "down")
    assert down.code == 0, down.people
    assert not (folder / "state").is_dir() or not any((folder / "state").iterdir())


def _environment(made: Project) -> dict[str, str]:
    """What ``eval "$(deploykit sandbox env)"`` exports."""
    shown = subprocess.run(
        (*DEPLOYKIT, "sandbox", "env"), cwd=made.folder, env=made.environ, capture_output=True, text=True, check=True
    )
    words = [shlex.split(line) for line in shown.stdout.splitlines()]
    return dict(word[1].split("=", 1) for word in words if word[0] == "export")
