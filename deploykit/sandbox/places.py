"""Where the sandbox keeps its files, by the XDG base directories.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def cache() -> Path:
    """The folder of what can be installed again at any time: MiniStack's environment."""
    return _base("XDG_CACHE_HOME", ".cache") / "deploykit" / "sandbox"


def state() -> Path:
    """The folder that holds one folder for each sandbox that is up."""
    return _base("XDG_STATE_HOME", ".local/state") / "deploykit" / "sandbox"


def instance(configuration: Path, environment: str) -> str:
    """The name of the sandbox of one configuration file and environment: twelve hexadecimal digits.

    It never changes, so that a later run finds what a killed one left behind.
    """
    key = f"{configuration.resolve()}\n{environment}"
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _base(variable: str, default: str) -> Path:
    given = os.environ.get(variable, "")
    return Path(given) if given.startswith("/") else Path.home() / default
