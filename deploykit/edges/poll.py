"""Ask until something has come or a deadline has passed. boto3's waiters do not tell what they saw last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from deploykit.edges.aws.session import AwsUnreachable, Throttled
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError
from deploykit.model.progress import Progress

_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class Waiting:
    """What a look saw while it has not come; ``tell``: people read it, and in how many seconds the next look is."""

    last: str
    tell: bool = False


@dataclass(frozen=True)
class Overdue:
    """It did not come within ``seconds``; ``last`` is what was seen last."""

    what: str
    seconds: float
    last: str

    def __str__(self) -> str:
        return f"waited for {self.what}; it did not come within {self.seconds:.0f} s: {self.last}"


@dataclass(frozen=True)
class Poll:
    """How something is waited for. ``what`` completes "waiting for …"; ``subject`` is the service it is about.

    ``pause``: seconds until the next look, of the seconds waited so far. ``at_once``: look before the first pause.
    ``passing``: errors of a look that pass by themselves; while they last, the pauses double from 2 to 30 seconds.
    """

    what: str
    deadline: Deadline
    pause: Callable[[float], float]
    progress: Progress
    subject: str = ""
    at_once: bool = False
    passing: tuple[type[DeploykitError], ...] = (Throttled, AwsUnreachable)

    def until(self, look: Callable[[], _Seen | Waiting]) -> _Seen | Overdue:
        """The first answer of ``look`` that is not ``Waiting``; it is asked for the last time at the deadline.

        Raises: the errors of ``look`` that are not ``passing``.
        """
        began, slowness = self.deadline.clock.monotonic(), 0.0
        if not self.at_once:
            self.deadline.sleep(self.pause(0.0))
        while True:
            try:
                seen, slowness = look(), 0.0
            except self.passing as trouble:
                seen, slowness = Waiting(trouble.message, tell=True), min(30.0, max(2.0, slowness * 2))
            if not isinstance(seen, Waiting):
                return seen
            if self.deadline.passed:
                return Overdue(self.what, self.deadline.seconds, seen.last)
            waited = self.deadline.clock.monotonic() - began
            pause = min(max(slowness, self.pause(waited)), self.deadline.left)
            if seen.tell:
                self.progress.say(f"waiting for {self.what}: {seen.last}; asking again in {pause:.0f} s", self.subject)
            self.deadline.sleep(pause)
