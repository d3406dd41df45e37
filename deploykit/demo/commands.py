"""deploykit as its users run it: each command is a process of its own that prints a ``--json`` document."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploykit.errors import DeploykitError, FailedBefore, OutOfReach, Refused, UsageError

GRACE_SECONDS = 20.0  # an interrupted release reports what it leaves before it exits
_STAMP = re.compile(r"^\d\d:\d\d:\d\d ")
_FOREIGN = ("AWS_", "DEPLOYKIT_", "GIT_")  # the user's own settings, which must not reach the demo
_ERRORS: dict[int, type[DeploykitError]] = {
    error.code: error for error in (UsageError, OutOfReach, Refused, FailedBefore)
}


@dataclass(frozen=True)
class Ended:
    """How one command ended: its exit code, its document, and its seconds by the demo's own clock."""

    line: str
    code: int
    document: Mapping[str, Any]
    seconds: float


@dataclass
class Commands:
    """Runs ``deploykit --config FILE …``; ``environ`` holds the sandbox's variables once it is up."""

    configuration: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, heard: Callable[[str], None] = lambda _: None) -> Ended:
        """Run one command with ``--json``; ``heard`` gets its lines for people as they come.

        Raises FailedBefore when its output is no JSON document.
        """
        began = time.monotonic()
        code, text = self._run([*arguments, "--json"], heard)
        line = shlex.join(["deploykit", *arguments])
        try:
            document = json.loads(text)
        except ValueError:
            problem = f"`{line}` exited with {code} and printed no JSON document"
            raise FailedBefore(problem, f"run it: `{line}`") from None
        return Ended(line, code, document, time.monotonic() - began)

    def demand(self, *arguments: str, heard: Callable[[str], None] = lambda _: None) -> Mapping[str, Any]:
        """The document of a command that must succeed. Raises the command's own error when it fails."""
        ended = self.run(*arguments, heard=heard)
        if ended.code:
            error = ended.document.get("error") or {}
            kind = _ERRORS.get(ended.code, FailedBefore)
            raise kind(f"`{ended.line}`: {error.get('message') or 'failed'}", error.get("hint") or "")
        return ended.document

    def use_sandbox(self) -> None:
        """Send every later command to the sandbox, as ``eval "$(deploykit sandbox env)"`` does."""
        _, text = self._run(["sandbox", "env"], lambda _: None)
        for words in map(shlex.split, text.splitlines()):
            if words[:1] == ["export"]:
                name, _, value = words[1].partition("=")
                self.environ[name] = value

    def _run(self, arguments: Sequence[str], heard: Callable[[str], None]) -> tuple[int, str]:
        command = [sys.executable, "-m", "deploykit", "--config", str(self.configuration), *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        child = subprocess.Popen(
            command,
            env=kept | self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        listener = threading.Thread(target=_listen, args=(child, heard), daemon=True)
        listener.start()
        try:
            assert child.stdout is not None  # noqa: S101 (asked for with PIPE)
            text = child.stdout.read()
            code = child.wait()
            listener.join()
        except BaseException:  # Ctrl-C reaches only the demo, which then interrupts the command
            _end(child)
            raise
        return code, text


def _listen(child: subprocess.Popen[str], heard: Callable[[str], None]) -> None:
    assert child.stderr is not None  # noqa: S101 (asked for with PIPE)
    for line in child.stderr:
        if text := _STAMP.sub("", line.rstrip()):
            heard(text)


def _end(child: subprocess.Popen[str]) -> None:
    for number, seconds in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return
