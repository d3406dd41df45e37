"""What a command line asks for."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from deploykit.config.schema import Configuration


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
    command: str = "deploy"
    again: str = "deploykit deploy"  # the command line that goes on with this order

    def then(self, step: str, *options: str) -> str:
        """The command line of the runbook step that goes on with the same commit and services."""
        words = ["deploykit", step, *self.services]
        words += ["--sha", self.revision] if self.revision is not None else []
        words += ["--allow-dirty"] if self.allow_dirty else []
        return f"`{shlex.join([*words, *options])}`"


@dataclass(frozen=True)
class RollbackRequest:
    """``deploykit rollback``: where to go back to, and why."""

    configuration: Configuration
    services: tuple[str, ...] = ()  # none: all
    to: str | None = None  # a SHA or its unambiguous beginning
    reason: str | None = None
    deadline: float = 1800.0
    confirm: Callable[[str], bool] | None = field(default=None, repr=False)  # asks on a terminal; None: go on
