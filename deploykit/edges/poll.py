"""Ask again and again until something has come, or a deadline has passed.

boto3's waiters do not serve here: they say nothing while they wait, nor what they last saw when they give up. Rounds of
checks and looks for new log lines are no polls: they keep a pace and take what comes; there is no end to wait for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from deploykit.edges.aws.session import AwsUnreachable, Throttled
from deploykit.edges.clock import Deadline
from deploykit.errors import DeploykitError
from deploykit.model.progress import Progress

_Seen = TypeVar("_Seen")

_SLOW = 2.0  # seconds until the next look after the first one without an answer; doubled with each further one
_SLOWEST = 30.0  # seconds between looks at the most


@dataclass(frozen=True)
class Waiting:
    """What a look saw while it has not come; ``tell``: people read so, and in how many seconds the next look is."""

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

    ``pause``: seconds until the next look, of the seconds waited so far. ``at_once``: the first look comes before the
    first pause. ``passing``: what a look may raise that passes by itself, for which the next one waits longer.
    """

    what: str
    deadline: Deadline
    pause: Callable[[float], float]
    progress: Progress
    subject: str = ""
    at_once: bool = False
    passing: tuple[type[DeploykitError], ...] = (Throttled, AwsUnreachable)

    def until(self, look: Callable[[], _Seen | Waiting]) -> _Seen | Overdue:
        """What ``look`` returns once it is not ``Waiting`` any more; the last look is at the deadline.

        Raises: what ``look`` raises and ``passing`` does not name.
        """
        began = self.deadline.clock.monotonic()
        slowness = 0.0
        if not self.at_once:
            self.deadline.sleep(self.pause(0.0))
        while True:
            try:
                seen = look()
                slowness = 0.0
            except self.passing as trouble:
                slowness = min(_SLOWEST, max(_SLOW, slowness * 2))
                seen = Waiting(trouble.message, tell=True)
            if not isinstance(seen, Waiting):
                return seen
            if self.deadline.passed:
                return Overdue(self.what, self.deadline.seconds, seen.last)
            waited = self.deadline.clock.monotonic() - began
            pause = min(max(slowness, self.pause(waited)), self.deadline.left)
            if seen.tell:
                self.progress.say(f"waiting for {self.what}: {seen.last}; asking again in {pause:.0f} s", self.subject)
            self.deadline.sleep(pause)
