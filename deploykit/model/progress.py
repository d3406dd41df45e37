"""How a run tells people what it does, without knowing who listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Progress(Protocol):
    """The listener of a run. Every method may be called from any thread."""

    def step(self, name: str) -> None:
        """A step of the runbook begins (``build``, ``push``, ``roll out`` …)."""

    def say(self, text: str, subject: str = "") -> None:
        """A lasting line, about one service or endpoint when ``subject`` names it."""

    def live(self, subject: str, text: str) -> None:
        """The state of ``subject`` now: replaces its last line on a terminal, elsewhere a line when it changes."""

    def warn(self, text: str, subject: str = "") -> None:
        """Something people should look at that does not stop the run."""

    def command(self, argv: Sequence[str]) -> None:
        """A command that is about to run, as one would type it; secrets are never in ``argv``."""


class Silent:
    """Listens to nothing: for callers that want the result only."""

    def step(self, name: str) -> None: ...

    def say(self, text: str, subject: str = "") -> None: ...

    def live(self, subject: str, text: str) -> None: ...

    def warn(self, text: str, subject: str = "") -> None: ...

    def command(self, argv: Sequence[str]) -> None: ...
