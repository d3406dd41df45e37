"""Every way a command can end, and its exit code, which tells people what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit codes. After something that runs was touched, a command never ends with 3, 4 or 5."""

    OK = 0
    BUG = 1
    USAGE = 2
    OUT_OF_REACH = 3
    REFUSED = 4
    FAILED_BEFORE = 5
    MIGRATION = 6
    ROLLED_BACK = 10
    UNHEALTHY = 11
    INCONCLUSIVE = 12
    INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where it is and how to fix it."""

    message: str
    file: str | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{where}{self.message}"


class DeploykitError(Exception):
    """A command cannot continue, for a reason that its user can act on: ``hint`` says what to type or change."""

    code = ExitCode.BUG

    def __init__(self, message: str, hint: str = "", problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)


class UsageError(DeploykitError):
    """The command line makes no sense."""

    code = ExitCode.USAGE


class ConfigError(DeploykitError):
    """The configuration file is missing or wrong; ``problems`` lists everything that is."""

    code = ExitCode.USAGE


class OutOfReach(DeploykitError):
    """Credentials, a permission, the network, Docker or a registry is missing; nothing that runs was touched."""

    code = ExitCode.OUT_OF_REACH


class Refused(DeploykitError):
    """Refused to protect the user: wrong account, uncommitted changes, an older or withdrawn commit."""

    code = ExitCode.REFUSED


class FailedBefore(DeploykitError):
    """Something missing or wrong stopped the run before anything that runs was touched."""

    code = ExitCode.FAILED_BEFORE


class Interrupted(DeploykitError):
    """Stopped by a signal or taken over by another run; the message says what was left, the hint what continues."""

    code = ExitCode.INTERRUPTED

    def __init__(self, message: str, hint: str = "", report: object | None = None) -> None:
        super().__init__(message, hint)
        self.report = report  # the model.report.RunReport of a run that had begun


class LeaseLost(KeyboardInterrupt):
    """The environment's lock is no longer this run's; its text says why. As after Ctrl-C, no phase may catch it.

    ``taken``: another run has it, or somebody took it away; else the store was out of reach for too long.
    """

    def __init__(self, text: str, *, taken: bool) -> None:
        super().__init__(text)
        self.taken = taken
