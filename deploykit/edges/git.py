"""The git repository that a release comes from, read through the git command and never changed.

Only ``git_history`` adds to it: objects that it fetches.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from deploykit.edges.process import Finished, run
from deploykit.errors import ConfigError, FailedBefore
from deploykit.model.release import Commit

# Git sets these for its hooks; they would point every command at another repository or index.
_GIT_OWN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE")

GIT_SECONDS = 60.0  # for a command that may go over the network


@dataclass(frozen=True)
class Repository:
    """A repository: the top of its work tree, its git folder, and the one it shares with its other work trees."""

    top: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def find(cls, folder: Path) -> Repository:
        """The repository that ``folder`` lies in.

        Raises: FailedBefore (none, or git refuses to read it), OutOfReach (no git).
        """
        asked = ("rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
        done = run(("git", *asked), env=_environment(), cwd=folder)
        if done.code == 0:
            top, git_dir, common_dir = done.output.splitlines()
            return cls(Path(top), Path(git_dir), (folder / common_dir).resolve())
        if "not a git repository" in done.errors:
            raise FailedBefore(
                f"{folder} is in no git repository, but a release needs a commit",
                f"run deploykit in a clone, or create one: `git -C {folder} init`, then `git add` and `git commit`",
            )
        if "safe.directory" in done.errors:
            owner = re.search(r"safe\.directory (\S+)", done.errors)
            raise FailedBefore(
                f"git refuses to read the repository of {folder}: it belongs to another user",
                f"run `git config --global --add safe.directory {owner[1] if owner else folder}`",
            )
        raise FailedBefore(f"git cannot read the repository of {folder}: {done.errors.strip()}")

    def head(self) -> Commit:
        """The commit that is checked out. Raises: FailedBefore (nothing is committed yet)."""
        if self.git("rev-parse", "--verify", "--quiet", "HEAD").code:
            raise FailedBefore(f"{self.top} has no commit yet", "run `git add` and `git commit` first")
        return self.resolve("HEAD")

    def resolve(self, revision: str) -> Commit:
        """The commit named by a SHA, its beginning, a branch or a tag. Raises: FailedBefore (unknown, ambiguous)."""
        found = self.git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        if found.code:
            if "ambiguous" in found.errors:
                raise FailedBefore(f'"{revision}" is the beginning of several commits', "give more of its digits")
            fetch = "git fetch --unshallow" if self.shallow else "git fetch --all --tags"
            raise FailedBefore(
                f'"{revision}" is no commit known to {self.top}',
                f"check the spelling (`git log --oneline`), or fetch it first: `{fetch}`",
            )
        sha = found.output.split()[-1]
        answer = self._ask("log", "-1", "--no-show-signature", "--format=%ct%n%s", sha)
        seconds, _, subject = answer.rstrip("\n").partition("\n")
        moment = datetime.fromtimestamp(int(seconds), UTC)
        return Commit(sha, subject, moment.strftime("%Y-%m-%dT%H:%M:%SZ"))

    @property
    def shallow(self) -> bool:
        """True where the history of this clone ends early: then a missing parent proves nothing."""
        return self._ask("rev-parse", "--is-shallow-repository").strip() == "true"

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether ``older`` is an ancestor of ``newer``, or the same; None where this clone has too little history."""
        # a partial clone asks its remote for a commit that is not here
        done = self.git("merge-base", "--is-ancestor", older, newer, timeout=GIT_SECONDS)
        if done.code == 0:
            return True
        return None if done.code != 1 or self.shallow else False

    def uncommitted(self, paths: Iterable[Path]) -> list[str]:
        """What is changed, or untracked and not ignored, under ``paths``; relative to the top, sorted."""
        wanted = [self.inside(path) or "." for path in paths]
        status = ("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
        lines = self._ask("--literal-pathspecs", *status, "--", *wanted) if wanted else ""
        return sorted({line[3:] for line in lines.split("\0") if line})

    def origin_url(self) -> str | None:
        """The address of the remote ``origin``, never with credentials in it."""
        address = self.git("config", "--get", "remote.origin.url").output.strip()
        return re.sub(r"^([a-z][a-z0-9+.-]*://)[^/@]*@", r"\1", address, flags=re.IGNORECASE) or None

    def tree(self, sha: str, path: str) -> str | None:
        """The id of the tree (or blob) at ``path``, relative to the top, in commit ``sha``; None where it has none."""
        done = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}:{path}")
        return done.output.split()[-1] if done.code == 0 else None

    def inside(self, path: Path) -> str:
        """``path`` relative to the top, "" for the top itself. Raises: ConfigError (it is outside)."""
        absolute = Path(os.path.normpath(path))
        try:
            relative = absolute.relative_to(self.top).as_posix()
        except ValueError:
            raise ConfigError(
                f"{absolute} is outside the git repository {self.top}",
                "images are built from what is committed: move it into the repository that has the configuration file",
            ) from None
        return "" if relative == "." else relative

    def work_tree_hash(self, paths: Iterable[Path]) -> str:
        """12 hexadecimal digits that stand for name, kind and content of every file under ``paths``.

        Ignored files count, because a build of the work tree sees them; modification times do not.
        """
        total = hashlib.sha256()
        for file in sorted({file for path in paths for file in _files(Path(os.path.normpath(path)))}):
            kind, content = _content(file)
            name = os.fsencode(self.inside(file))
            total.update(b"%s %d %s\0%s" % (kind, len(name), name, content))
        return total.hexdigest()[:12]

    def git(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        input: str = "",
        umask: int = -1,
        timeout: float | None = None,
    ) -> Finished:
        """Run git on this repository; ``env`` is laid over the environment. ``timeout`` as in `run`."""
        environment = _environment() | {"GIT_DIR": str(self.git_dir), "GIT_WORK_TREE": str(self.top)} | dict(env or {})
        folder = Path(environment["GIT_WORK_TREE"])
        return run(("git", *arguments), env=environment, cwd=folder, input=input, umask=umask, timeout=timeout)

    def _ask(self, *arguments: str) -> str:
        done = self.git(*arguments)
        if done.code:
            raise FailedBefore(f"`git {' '.join(arguments[:2])}` failed in {self.top}: {done.errors.strip()}")
        return done.output


class Relation(StrEnum):
    """How a commit (``head``) stands to another (``base``), in the words of GitHub's compare API."""

    IDENTICAL = "identical"
    AHEAD = "ahead"  # head contains base
    BEHIND = "behind"  # base contains head
    DIVERGED = "diverged"  # neither

    @property
    def contains(self) -> bool:
        """True where ``head`` contains ``base``."""
        return self in (Relation.IDENTICAL, Relation.AHEAD)


@dataclass(frozen=True)
class Source:
    """A commit in its repository. ``relations``: what was found out, by SHA of the other commit; it never changes."""

    repository: Repository
    commit: Commit
    relations: dict[str, Relation] = field(default_factory=dict, compare=False, repr=False)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _GIT_OWN}
    return kept | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


def _files(path: Path) -> Iterable[Path]:
    if path.is_symlink() or not path.is_dir():
        if path.is_symlink() or path.is_file():
            yield path
        return
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        yield from (here / name for name in files if name != ".git")
        yield from (here / name for name in folders if (here / name).is_symlink())
        folders[:] = [name for name in folders if name != ".git"]


def _content(file: Path) -> tuple[bytes, bytes]:
    mode = file.lstat().st_mode
    if stat.S_ISLNK(mode):
        return b"link", hashlib.sha256(os.fsencode(file.readlink())).digest()
    if not stat.S_ISREG(mode):
        return b"other", b""  # a socket or a pipe, which docker does not send
    with file.open("rb") as stream:
        return b"run" if mode & stat.S_IXUSR else b"file", hashlib.file_digest(stream, "sha256").digest()
