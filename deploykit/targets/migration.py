"""A command in a task of its own: started once, its log lines as they come, and how it ended.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploykit.edges.aws.ecs_tasks import describe_task, list_family_tasks, run_task, stop_task
from deploykit.edges.aws.logs import lines_from
from deploykit.edges.aws.session import Aws, AwsUnreachable, NotAllowed, Throttled
from deploykit.edges.clock import Deadline
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
_SLOWEST = 30.0  # seconds between polls while AWS throttles or cannot be reached
_PAGES = 100  # of log lines in one look: a task that logs faster than it is read must not hold up its own timeout
_ROOM_AGAIN = (5.0, 10.0, 15.0)  # seconds until RunTask is asked again where the cluster has no room; the last stays
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
    for ask in itertools.count(1):
        task, refused = run_task(
            aws,
            one_off.name.cluster,
            taskDefinition=one_off.definition.arn,
            overrides={"containerOverrides": [{"name": one_off.container, "command": list(one_off.command)}]},
            startedBy=started,
            clientToken=token(ask),
            **one_off.placing,
        )
        if task is not None:
            return task
        if not _NO_ROOM.search(refused):
            return TaskEnd("not_started", f"ECS could not place a task ({refused})")
        if deadline.passed:
            break
        pause = min(_ROOM_AGAIN[min(ask, len(_ROOM_AGAIN)) - 1], deadline.left)
        progress.say(
            f"waiting for room: ECS could place no task ({refused}); asking again in {pause:.0f} s", one_off.name.key
        )
        deadline.sleep(pause)
    return TaskEnd("not_started", f"ECS could place no task within {deadline.seconds:.0f} s ({refused})")


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
    watch = _Watch(aws, one_off, task, deadline)
    while True:
        end = watch.look(progress)
        tail.read()
        if end is not None:
            break
    for _ in range(3):  # what was written last gets to CloudWatch a moment after the task has ended
        deadline.clock.sleep(1.0)
        if not tail.read() and tail.last:
            break
    return TaskEnd(end.outcome, end.reason, end.exit_code, tuple(tail.last), end.evidence)


def wait_for_others(aws: Aws, tasks: Sequence[Task], one_off: OneOff, deadline: Deadline, progress: Progress) -> str:
    """Until none of ``tasks`` runs any more; the id of one that still does past ``deadline``, else ``""``."""
    for task in tasks:
        progress.say(f"waiting for task {task.id}, another migration that still runs", one_off.name.key)
        seen: Task | None = task
        while seen is not None and seen.status != "STOPPED":
            if deadline.passed:
                return task.id
            deadline.sleep(2.0)
            seen = describe_task(aws, one_off.name.cluster, task.arn)
    return ""


@dataclass
class _Watch:
    """The polls of one task."""

    aws: Aws
    one_off: OneOff
    task: Task
    deadline: Deadline
    stopping: bool = False
    _slowness: float = 0.0

    def __post_init__(self) -> None:
        self._limit = self.deadline.seconds
        self._began = self.deadline.clock.monotonic()

    def look(self, progress: Progress) -> TaskEnd | None:
        """One poll; the end, where it has come."""
        self.deadline.sleep(max(self._slowness, self._pause()))
        name, waited = self.one_off.name, self.deadline.clock.monotonic() - self._began
        try:
            seen = describe_task(self.aws, name.cluster, self.task.arn, retry=False)
            self._slowness = 0.0
        except (Throttled, AwsUnreachable) as trouble:
            self._slowness = min(_SLOWEST, max(2.0, self._slowness * 2))
            progress.say(f"{trouble.message}; asking again in {self._slowness:.0f} s", name.key)
        except DeploykitError as trouble:
            return TaskEnd(None, f"its end cannot be seen: {trouble.message}")
        else:
            if seen is None and waited > _APPEARS_WITHIN:
                return TaskEnd(None, f"ECS does not know task {self.task.id} any more")
            if seen is not None and (end := self._end(seen)):
                return end
        return self._stop(progress) if self.deadline.passed else None

    def _end(self, task: Task) -> TaskEnd | None:
        end = end_of(task, self.one_off)
        if end is None:
            return None
        if task.status != "STOPPED":  # it is done, and another container keeps its task alive
            self._ask_to_stop("deploykit: the migration has ended")
        if self.stopping and end.outcome == "stopped":
            return TaskEnd("timed_out", f"not done after {self._limit:.0f} s", end.exit_code, evidence=end.evidence)
        return end

    def _stop(self, progress: Progress) -> TaskEnd | None:
        """Past the deadline: ask ECS to stop it, and give it the time that this takes."""
        if self.stopping:
            return TaskEnd(None, f"not done after {self._limit:.0f} s, and it does not stop")
        progress.say(f"not done after {self._limit:.0f} s: stopping it", self.one_off.name.key)
        self.stopping = True
        self.deadline = Deadline(self.deadline.clock, _STOPS_WITHIN)
        refused = self._ask_to_stop("deploykit: migrate.timeout has passed")
        if refused:
            return TaskEnd(None, f"not done after {self._limit:.0f} s, and it cannot be stopped: {refused}")
        return None

    def _ask_to_stop(self, why: str) -> str:
        try:
            stop_task(self.aws, self.one_off.name.cluster, self.task.arn, why)
        except DeploykitError as refusal:
            return refusal.message
        return ""

    def _pause(self) -> float:
        waited = self.deadline.clock.monotonic() - self._began
        return 1.0 if waited < 15 else 2.0 if waited < 120 else 5.0
