"""A command in a task of its own: started once, its log lines as they come, and how it ended.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from deploykit.edges.aws.ecs_tasks import describe_task, list_family_tasks, run_task, stop_task
from deploykit.edges.aws.logs import lines_from
from deploykit.edges.aws.session import Aws, AwsUnreachable, NotAllowed, Throttled
from deploykit.edges.clock import Deadline
from deploykit.edges.poll import Overdue, Poll, Waiting
from deploykit.errors import DeploykitError
from deploykit.model.log_place import log_place
from deploykit.model.migration import MigrationOutcome
from deploykit.model.observed import Definition, ServiceName
from deploykit.model.progress import Progress
from deploykit.model.task import Task

_STARTED_BY = "deploykit"
_LINES = 20  # kept as the migration's last words
_STOPS_WITHIN = 150.0  # seconds: `stopTimeout` is at most 120 on Fargate
_APPEARS_WITHIN = 30.0  # seconds after RunTask in which DescribeTasks may not know the task yet
_PAGES = 100  # of log lines in one look: a task that logs faster than it is read must not hold up its own timeout
# What passes by itself: another task ends, an instance comes or its agent connects again, Fargate has capacity.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
_NO_ROOM = re.compile(r"RESOURCE:|AGENT\b|capacity is unavailable", re.IGNORECASE)
_FROM_OUTSIDE = {"UserInitiated", "SpotInterruption", "TerminationNotice", "ServiceSchedulerInitiated"}


@dataclass(frozen=True)
class OneOff:
    """What is to run: a command in the place of a container's own, with everything else as its service has it."""

    name: ServiceName
    placing: Mapping[str, Any]  # as RunTask takes it
    definition: Definition
    container: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class TaskEnd:
    """How it ended. ``outcome`` None: nobody saw it, and it may still run."""

    outcome: MigrationOutcome | None
    reason: str = ""
    exit_code: int | None = None
    lines: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


def started_by(release: str, service: str) -> str:
    """``startedBy`` of a release's migration: at most 128 letters, digits, ``-``, ``_`` and ``/``."""
    return re.sub(r"[^A-Za-z0-9_/-]", "-", f"{_STARTED_BY}/{release}/{service}")[:128]


def client_token(release: str, service_arn: str, attempt: int, ask: int = 1) -> str:
    """One token for each time that an attempt is asked for, 64 characters at the most.

    ECS remembers a token for a day and starts nothing twice. That an answer was "no room" may be remembered too, so
    asking again takes another token.
    """
    again = f"-{ask}" if ask > 1 else ""
    return f"{release[:32]}-{hashlib.sha256(service_arn.encode()).hexdigest()[:16]}-{attempt}{again}"


def start(
    aws: Aws, one_off: OneOff, started: str, token: Callable[[int], str], deadline: Deadline, progress: Progress
) -> Task | TaskEnd:
    """Start it, waiting for room until ``deadline``; a ``TaskEnd`` where ECS could place no task.

    ``token``: the client token of the first, second … time that ECS is asked.
    Raises: NotAllowed, AwsRefused, Throttled (it did not start), AwsUnreachable (it may have started).
    """
    asks = itertools.count(1)

    def ask() -> Task | TaskEnd | Waiting:
        task, refused = run_task(
            aws,
            one_off.name.cluster,
            taskDefinition=one_off.definition.arn,
            overrides={"containerOverrides": [{"name": one_off.container, "command": list(one_off.command)}]},
            startedBy=started,
            clientToken=token(next(asks)),
            **one_off.placing,
        )
        if task is not None:
            return task
        said = f"ECS could place no task ({refused})"
        return Waiting(said, tell=True) if _NO_ROOM.search(refused) else TaskEnd("not_started", said)

    # a write, and each ask has a token of its own: whether one without an answer started a task is the caller's matter
    room = Poll("room", deadline, _until_room, progress, one_off.name.key, at_once=True, passing=())
    found: Task | TaskEnd | Overdue = room.until(ask)
    return TaskEnd("not_started", str(found)) if isinstance(found, Overdue) else found


def _until_room(waited: float) -> float:
    """5, 10, 15, 15 … seconds."""
    return min(15.0, 5.0 + waited)


def tasks_of(aws: Aws, name: ServiceName, family: str) -> list[Task]:
    """The migrations of one service that run, are stopping, or have ended within the hour; newest first."""
    ours = re.compile(f"{_STARTED_BY}/.+/{re.escape(started_by('', name.key).rpartition('/')[2])}")
    found = [task for task in list_family_tasks(aws, name.cluster, family) if ours.fullmatch(task.started_by)]
    return sorted(found, key=lambda task: (task.created is not None, task.created), reverse=True)


def end_of(task: Task, one_off: OneOff) -> TaskEnd | None:
    """How ``task`` ended, None while it has not. Pure; exit codes are final once the task is STOPPED."""
    container = next((c for c in task.containers if c.name == one_off.container), None)
    code = container.exit_code if container else None
    essential = (one_off.definition.container(one_off.container) or {}).get("essential", True)
    if task.status != "STOPPED" and (essential or code is None):
        return None
    evidence = (
        f"task {task.id}: {task.stop_code or task.status}: {task.stop_reason}".rstrip(": "),
        *(
            f"container {c.name}: " + ", ".join(filter(None, (f"exit code {c.exit_code}", c.reason)))
            for c in task.containers
            if c.exit_code is not None or c.reason
        ),
    )
    detail = container.reason if container and container.reason not in task.stop_reason else ""
    said = " · ".join(filter(None, (task.stop_reason, detail)))
    if task.stop_code in _FROM_OUTSIDE:
        by = "somebody" if task.stop_code == "UserInitiated" else "AWS"
        return TaskEnd("stopped", f"{by} stopped it: {said or task.stop_code}", code, evidence=evidence)
    if code is None:
        return TaskEnd("not_started", f"its container never started: {said or task.stop_code}", evidence=evidence)
    if code == 0:
        return TaskEnd("succeeded", "exit code 0", 0, evidence=evidence)
    return TaskEnd("failed", f"exit code {code}" + (f" ({detail})" if detail else ""), code, evidence=evidence)


@dataclass
class LogTail:
    """The log lines of one task's container, each told once; ``last`` keeps the newest."""

    aws: Aws
    one_off: OneOff
    task: Task
    progress: Progress
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    _token: str | None = None
    _silent: bool = False

    def read(self) -> bool:
        """Tell what is new; True where there was something. Never raises: a migration does not fail of its log."""
        place = log_place(self.one_off.definition.container(self.one_off.container), self.aws.region)
        stream = place.stream(self.task.id) if place else None
        if place is None or stream is None or self._silent:
            return False
        aws = self.aws.in_region(place.region)
        found = False
        try:
            for _ in range(_PAGES):
                lines, token = lines_from(aws, place.group, stream, self._token)
                for line in lines:
                    self.progress.say(line.text, self.one_off.name.key)
                    self.last.append(line.text)
                found = found or bool(lines)
                if token == self._token:
                    break
                self._token = token
        except NotAllowed as refusal:
            self._silent = True
            self.progress.warn(f"its log lines cannot be read ({refusal.action})", self.one_off.name.key)
        except DeploykitError:
            pass  # no stream yet, or the next look finds them; what is wrong for good, the look at the task says
        return found


def follow(aws: Aws, one_off: OneOff, task: Task, deadline: Deadline, progress: Progress) -> TaskEnd:
    """Tell what ``task`` logs until it has ended; past ``deadline`` it is stopped.

    Raises: nothing of AWS's: from RunTask on the database may have been touched, so an end that cannot be seen is a
    ``TaskEnd`` too.
    """
    tail = LogTail(aws, one_off, task, progress)
    end = TaskWatch(aws, one_off, task, tail, deadline, progress).end()
    # No poll: nothing says that a stream has all its lines. What was written last comes a moment after the task's end.
    for _ in range(3):
        deadline.clock.sleep(1.0)
        if not tail.read() and tail.last:
            break
    return TaskEnd(end.outcome, end.reason, end.exit_code, tuple(tail.last), end.evidence)


def wait_for_others(aws: Aws, tasks: Sequence[Task], one_off: OneOff, deadline: Deadline, progress: Progress) -> str:
    """Until none of ``tasks`` runs any more; the id of one that still does past ``deadline``, else ``""``."""
    for task in tasks:
        what = f"task {task.id}, another migration that still runs"
        progress.say(f"waiting for {what}", one_off.name.key)
        gone = partial(_gone, aws, one_off.name.cluster, task.arn)
        if isinstance(Poll(what, deadline, lambda _: 2.0, progress, one_off.name.key).until(gone), Overdue):
            return task.id
    return ""


def _gone(aws: Aws, cluster: str, task: str) -> bool | Waiting:
    seen = describe_task(aws, cluster, task, retry=False)
    return seen is None or seen.status == "STOPPED" or Waiting(seen.status)


@dataclass
class TaskWatch:
    """The polls of one task."""

    aws: Aws
    one_off: OneOff
    task: Task
    tail: LogTail
    deadline: Deadline
    progress: Progress
    stopping: bool = False

    def __post_init__(self) -> None:
        self._began = self.deadline.clock.monotonic()

    def end(self) -> TaskEnd:
        """How the task ended; past the deadline ECS is asked to stop it, and given the time that this takes."""
        poll = Poll(f"task {self.task.id}", self.deadline, self._pause, self.progress, self.one_off.name.key)
        found = poll.until(self._look)
        if not isinstance(found, Overdue):
            return found
        late = f"not done after {self.deadline.seconds:.0f} s"
        self.progress.say(f"{late}: stopping it", self.one_off.name.key)
        self.stopping = True
        if refused := self._ask_to_stop("deploykit: migrate.timeout has passed"):
            return TaskEnd(None, f"{late}, and it cannot be stopped: {refused}")
        found = replace(poll, deadline=Deadline(self.deadline.clock, _STOPS_WITHIN)).until(self._look)
        return TaskEnd(None, f"{late}, and it does not stop") if isinstance(found, Overdue) else found

    def _look(self) -> TaskEnd | Waiting:
        self.tail.read()
        try:
            seen = describe_task(self.aws, self.one_off.name.cluster, self.task.arn, retry=False)
        except (Throttled, AwsUnreachable):
            raise
        except DeploykitError as trouble:
            return TaskEnd(None, f"its end cannot be seen: {trouble.message}")
        if seen is not None:
            return self._end(seen) or Waiting(seen.status)
        if self._waited > _APPEARS_WITHIN:
            return TaskEnd(None, f"ECS does not know task {self.task.id} any more")
        return Waiting("ECS does not show it yet")

    def _end(self, task: Task) -> TaskEnd | None:
        end = end_of(task, self.one_off)
        if end is None:
            return None
        if task.status != "STOPPED":  # it is done, and another container keeps its task alive
            self._ask_to_stop("deploykit: the migration has ended")
        if self.stopping and end.outcome == "stopped":
            late = f"not done after {self.deadline.seconds:.0f} s"
            return TaskEnd("timed_out", late, end.exit_code, evidence=end.evidence)
        return end

    def _ask_to_stop(self, why: str) -> str:
        try:
            stop_task(self.aws, self.one_off.name.cluster, self.task.arn, why)
        except DeploykitError as refusal:
            return refusal.message
        return ""

    @property
    def _waited(self) -> float:
        return self.deadline.clock.monotonic() - self._began

    def _pause(self, _: float) -> float:
        """Of the time since the task was started, also while it is being stopped."""
        return 1.0 if self._waited < 15 else 2.0 if self._waited < 120 else 5.0
