"""The demo's side of the load: start its process, read its counts, stop it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

END_SECONDS = 15.0
KEPT_WORDS = 20


@dataclass(frozen=True)
class Count:
    """Requests between two moments, and how many of them failed."""

    seconds: float
    sent: int
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.sent / self.seconds if self.seconds > 0 else 0.0


@dataclass
class Traffic:
    """A running load. ``words``: the first twenty failures."""

    address: str
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        command = [sys.executable, "-m", "deploykit.demo.load", self.address]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True
        )
        self._sent = 0
        self._failed = 0
        self._heard = threading.Condition()
        self._lines = 0
        self._began = time.monotonic()
        self._mark = (self._began, 0, 0)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self, paths: Sequence[str]) -> None:
        """Request ``paths`` from now on."""
        assert self._child.stdin is not None  # noqa: S101 (asked for with PIPE)
        self._child.stdin.write(json.dumps(list(paths)) + "\n")
        self._child.stdin.flush()

    def since_last(self) -> Count:
        """The count since the last call, up to the load's next report."""
        with self._heard:
            seen = self._lines
            self._heard.wait_for(lambda: self._lines > seen or not self._listener.is_alive(), timeout=2.0)
            now = (time.monotonic(), self._sent, self._failed)
        before, self._mark = self._mark, now
        return Count(now[0] - before[0], now[1] - before[1], now[2] - before[2])

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def end(self) -> Count:
        """Let requests in flight finish, stop the process, and return its whole count."""
        asked = time.monotonic() - self._began
        with contextlib.suppress(OSError):
            assert self._child.stdin is not None  # noqa: S101 (asked for with PIPE)
            self._child.stdin.close()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._listener.join(END_SECONDS)
        return Count(asked, self._sent, self._failed)

    def _listen(self) -> None:
        assert self._child.stdout is not None  # noqa: S101 (asked for with PIPE)
        with self._child.stdout as lines:
            for line in lines:
                report = json.loads(line)
                with self._heard:
                    self._sent, self._failed = report["sent"], report["failed"]
                    self.words += report["words"][: KEPT_WORDS - len(self.words)]
                    self._lines += 1
                    self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()
