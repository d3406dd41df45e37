"""Progress as plain lines with the time of day, for CI, files and pipes."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from deploykit.report.stream import PeopleStream
from deploykit.report.style import Style

_SUBJECT_WIDTH = 10


class PlainProgress:
    """One line for each event, ``06:20:00 backend     2 of 2 tasks run``, in UTC as in the ledger.

    ``now`` gives the wall clock's time. A live state becomes a line only when it changes.
    """

    def __init__(self, stream: PeopleStream, now: Callable[[], datetime], style: Style) -> None:
        self._stream = stream
        self._now = now
        self._style = style
        self._live: dict[str, str] = {}
        self._lock = threading.Lock()

    def step(self, name: str) -> None:
        with self._lock:
            self._live.clear()
        self.announce(name)

    def announce(self, name: str) -> None:
        """The line that a step begins with."""
        self._line("", self._style.bold(f"== {name}"))

    def say(self, text: str, subject: str = "") -> None:
        self._line(subject, text)

    def live(self, subject: str, text: str) -> None:
        with self._lock:
            if self._live.get(subject) == text:
                return
            self._live[subject] = text
        if text:
            self._line(subject, text)

    def warn(self, text: str, subject: str = "") -> None:
        self._line(subject, self._style.warn(f"warning: {text}"))

    def command(self, argv: Sequence[str]) -> None:
        self._line("", self._style.dim(f"+ {shlex.join(argv)}"))

    def ask(self, question: str, answer: Callable[[], str]) -> bool:
        """Ask ``question`` and read one line with ``answer``; anything but yes is no."""
        self._stream.line(question)
        return said_yes(answer())

    def close(self) -> None:
        """Nothing to do: there are no live lines."""

    def _line(self, subject: str, text: str) -> None:
        stamp = self._style.dim(self._now().astimezone(UTC).strftime("%H:%M:%S"))
        head = f"{stamp} {subject.ljust(_SUBJECT_WIDTH)} " if subject else f"{stamp} "
        for line in text.splitlines() or [""]:
            self._stream.line((head + line).rstrip())


def said_yes(answer: str) -> bool:
    """True for ``y`` and ``yes`` in any case."""
    return answer.strip().lower() in ("y", "yes")
