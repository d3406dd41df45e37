"""The git repository that the demo releases from: the shipped platform, and a commit for each change."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploykit.demo.driver import copy_driver
from deploykit.errors import FailedBefore, OutOfReach

PLATFORM = Path(__file__).with_name("platform")
SERVICES = ("api", "frontend")
PUBLIC_BASE = "python:3.12-slim"

#: Keeps the user's git configuration (hooks, signing, templates) out of a throwaway repository.
_OWN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "deploykit demo",
    "GIT_AUTHOR_EMAIL": "demo@example.com",
    "GIT_COMMITTER_NAME": "deploykit demo",
    "GIT_COMMITTER_EMAIL": "demo@example.com",
}


@dataclass(frozen=True)
class Edit:
    """One replacement in one file."""

    file: str
    old: str
    new: str

    @property
    def back(self) -> Edit:
        """The edit that reverts it."""
        return Edit(self.file, self.new, self.old)


@dataclass(frozen=True)
class Repository:
    """A throwaway repository in ``folder``."""

    folder: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "deploykit.toml"

    def commit(self, message: str, edits: Sequence[Edit] = ()) -> str:
        """Make ``edits``, commit everything, and return the full SHA. Raises FailedBefore when git fails."""
        for edit in edits:
            path = self.folder / edit.file
            text = path.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise ValueError(f"{edit.file} holds {edit.old!r} {text.count(edit.old)} times, not once")
            path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(command, env=kept | _OWN, capture_output=True, text=True, check=False)
        if done.returncode:
            raise FailedBefore(
                f"git {arguments[0]} failed in {self.folder}: {done.stderr.strip()}", "check git: `git --version`"
            )
        return done.stdout


def make_repository(folder: Path, base: str) -> Repository:
    """Create a git repository with the platform in ``folder``, without commits; its images are built from ``base``.

    Raises OutOfReach (no git, or the API's driver cannot be installed), FailedBefore (git fails).
    """
    if not shutil.which("git"):
        raise OutOfReach("git is not installed, or not on PATH", "install git, for example: `apt-get install git`")
    unwanted = shutil.ignore_patterns("shared", "__pycache__")
    shutil.copytree(PLATFORM, folder, ignore=unwanted)
    for service in SERVICES:
        shutil.copytree(PLATFORM / "shared", folder / service, ignore=unwanted, dirs_exist_ok=True)
    copy_driver(folder / "api" / "requirements.txt", folder / "api" / "vendor")
    configuration = folder / "deploykit.toml"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace(PUBLIC_BASE, base), encoding="utf-8")
    (folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    repository = Repository(folder)
    repository._git("init", "--quiet", "--initial-branch", "main")
    return repository
