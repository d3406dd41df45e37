"""Is a look at a rollout's stopped tasks worth its calls? Pure: read off what DescribeServices says anyway."""

from __future__ import annotations

import re
from collections.abc import Iterable

from deploykit.model.observed import Rollout

_AGAIN = 10.0  # seconds between looks at a rollout that gave cause for one, while it is not whole
_UNMOVED = 90.0  # seconds without a look and without all tasks running: ECS may not have told everything
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
_STARTED = re.compile(r"has started (\d+) task")
_FAILURE = re.compile(r"unhealthy|failed|unable to consistently start")


class Suspicion:
    """What one rollout's counts and events say of failed tasks.

    ``failedTasks`` alone would miss them: it counts failures in a row, and no more once a task runs.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    A task that ends leaves a smaller count, or, where its replacement is quicker than the next answer, an event that
    more tasks were started than are wanted.
    """

    def __init__(self, now: float) -> None:
        self._looked = now
        self._raised = self._due = False
        self._retry: float | None = None
        self._found = 0
        self._failed = self._running = self._live = self._started = self._wanted = 0

    def worth_a_look(self, rollout: Rollout, news: Iterable[str], now: float) -> bool:
        """True where stopped tasks should be looked at now (seconds, monotonic); ``news``: ECS's new events."""
        if self._raises(rollout, list(news)):
            self._raised = self._due = True
        whole = rollout.running >= rollout.desired
        waited = now - self._looked >= (_AGAIN if self._raised else _UNMOVED)
        return self._due or (self._retry is not None and now >= self._retry) or (waited and not whole)

    def looked(self, failures: int, now: float) -> None:
        """Stopped tasks were looked at, and so many had failed by then.

        What gave cause for the look and is not among them may only not be listed yet: ECS's answers are eventually
        consistent. A look that AWS throttled is due still, as this is not called.
        """
        self._retry = now + _AGAIN if self._due and failures <= self._found else None
        self._due, self._looked, self._found = False, now, max(self._found, failures)

    def _raises(self, rollout: Rollout, news: list[str]) -> bool:
        live = rollout.running + rollout.pending
        # what scaling in takes away is no failure
        fewer = rollout.running < min(self._running, rollout.desired) or live < min(self._live, rollout.desired)
        more = rollout.failed > self._failed
        self._running, self._live, self._failed = rollout.running, live, rollout.failed
        self._started += sum(int(found[1]) for text in news if (found := _STARTED.search(text)))
        self._wanted = max(self._wanted, rollout.desired)
        replaced = self._started > self._wanted
        self._wanted = max(self._wanted, self._started)  # each further start is suspicious once
        return fewer or more or replaced or any(_FAILURE.search(text) for text in news)
