"""The git repository that the demo releases from: the shipped platform, its driver, and a commit for each change."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploykit.errors import FailedBefore, OutOfReach
from deploykit.model.hint import Hint, command
from deploykit.sandbox import environment, places

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
        line = ["git", "-C", str(self.folder), *arguments]
        done = subprocess.run(line, env=kept | _OWN, capture_output=True, text=True, check=False)
        if done.returncode:
            problem = f"git {arguments[0]} failed in {self.folder}: {done.stderr.strip()}"
            raise FailedBefore(problem, "check git: `git --version`")
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


def copy_driver(requirements: Path, target: Path) -> None:
    """Copy the API's PostgreSQL driver, which ``requirements`` pins by hash, to ``target``, which must not exist.

    Once it is installed, neither pip nor the network is used. Raises OutOfReach when it cannot be installed.
    """

    def install(folder: Path) -> None:
        if problem := environment.pip_install(Path(sys.executable), requirements, "--target", str(folder)):
            raise OutOfReach(
                f"the demo's PostgreSQL driver cannot be installed: {problem.splitlines()[-1]}",
                Hint("connect to the network or set PIP_INDEX_URL, then run ", command("demo"), ", once"),
            )
        shutil.rmtree(folder / "bin", ignore_errors=True)

    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    shutil.copytree(environment.once(places.cache() / f"demo-driver-{key}", install), target)
