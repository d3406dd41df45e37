"""What a command line asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deploykit.config.schema import Configuration
from deploykit.model.hint import Command, command

_DEPLOY = command("deploy")


@dataclass(frozen=True)
class DeployRequest:
    """``deploykit deploy`` and the single steps: what to release and what to insist on."""

    configuration: Configuration
    services: tuple[str, ...] = ()  # none: all
    revision: str | None = None  # --sha; None: HEAD, with the work tree checked
    allow_dirty: bool = False
    allow_older: bool = False
    allow_withdrawn: bool = False
    rebuild: bool = False
    force: bool = False  # migrate although nothing changed since the last migration
    undo: bool = True  # --no-rollback makes it False
    deadline: float = 1800.0  # seconds for everything after the push
    wait: float = 0.0  # seconds to queue for the deploy lock
    reason: str | None = None
    command: str = "deploy"
    again: Command = _DEPLOY  # what to type to continue with the same

    @property
    def insisted(self) -> tuple[str, ...]:
        """The options that allow what is refused, or skipped, without them."""
        flags = ("--allow-dirty", "--allow-older", "--allow-withdrawn", "--force")
        given = (self.allow_dirty, self.allow_older, self.allow_withdrawn, self.force)
        return tuple(flag for flag, is_given in zip(flags, given, strict=True) if is_given)

    def then(self, step: str, *options: str) -> Command:
        """The runbook step that continues with the same commit and services."""
        sha = ["--sha", self.revision] if self.revision is not None else []
        dirty = ["--allow-dirty"] if self.allow_dirty else []
        return command(step, *self.services, *sha, *dirty, *options)


@dataclass(frozen=True)
class RollbackRequest:
    """``deploykit rollback``: where to go back to, and why."""

    configuration: Configuration
    services: tuple[str, ...] = ()  # none: all
    to: str | None = None  # a SHA or its unambiguous beginning
    reason: str | None = None
    deadline: float = 1800.0
    wait: float = 0.0  # seconds to queue for the deploy lock
    take_over: bool = False  # take the lock from a run that is alive
    hold: bool = False  # freeze deploys afterwards
    command: str = "rollback"
    confirm: Callable[[str], bool] | None = field(default=None, repr=False)  # asks on a terminal; None: does not ask

    @property
    def insisted(self) -> tuple[str, ...]:
        """The options that stand in the ledger."""
        return (("--take-over",) if self.take_over else ()) + (("--hold",) if self.hold else ())
