"""What is committed, as files in a folder: what a fresh clone would have, and nothing else.

``git archive`` does not give that: it drops ``export-ignore`` files, expands ``export-subst``, leaves submodules empty
and Git LFS files as pointers, and misses the attributes of the folders above a subfolder. Checking out from an index of
our own gives a clone's bytes, line endings included, and leaves the user's work tree and index alone.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from deploykit.edges.git import Repository
from deploykit.errors import FailedBefore
from deploykit.model.release import typed

_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_SIZE = 1024  # bytes at most, https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md

# As a fresh clone has them, whatever the settings of this one. Git LFS files are filled in below and not by its filter,
# which would download in the middle of a checkout, and would do nothing where git-lfs is not installed.
_AS_CLONED = (
    *("-c", "core.autocrlf=false", "-c", "core.eol=lf"),
    *("-c", "core.sparseCheckout=false", "-c", "core.fsmonitor=false"),
    *("-c", "filter.lfs.process=", "-c", "filter.lfs.smudge=", "-c", "filter.lfs.required=false"),
)


def export_commit(repository: Repository, sha: str, paths: Sequence[str], destination: Path) -> None:
    """Write the files of commit ``sha`` under ``paths`` (relative to the top, "" for all) into ``destination``.

    They keep their paths; modes are 0644 and 0755 whatever the umask, so that they build the same everywhere.
    Submodules are included. A path that the commit does not have is no error.
    Raises: FailedBefore (names submodules or Git LFS files that are not on this machine).
    """
    with tempfile.TemporaryDirectory(prefix="deploykit-index-") as folder:
        env = {"GIT_INDEX_FILE": f"{folder}/index", "GIT_WORK_TREE": str(destination)}
        _git(repository, env, "read-tree", sha)
        listing = _git(repository, env, "ls-files", "--stage", "--full-name", "-z")
        entries = dict(_entry(line) for line in listing.split("\0") if line)  # path → (mode, object)
        files = [path for path, (mode, _) in entries.items() if mode != "160000" and _wanted(path, paths)]
        _git(repository, env, "checkout-index", "--force", "-z", "--stdin", input="".join(f"{f}\0" for f in files))
        _fill_lfs(repository, env, sha, files, destination)
    for path, (mode, commit) in entries.items():
        if mode == "160000" and (inner := _inner(path, paths)):
            module = _submodule(repository, sha, path, commit)
            (destination / path).mkdir(mode=0o755, parents=True, exist_ok=True)
            export_commit(module, commit, inner, destination / path)


def _git(repository: Repository, env: Mapping[str, str], *arguments: str, input: str = "") -> str:
    done = repository.git(*_AS_CLONED, *arguments, env=env, input=input, umask=0o022)
    if done.code:
        raise FailedBefore(f"git cannot export the commit ({arguments[0]}): {done.errors.strip()}")
    return done.output


def _entry(line: str) -> tuple[str, tuple[str, str]]:
    facts, _, path = line.partition("\t")
    mode, identifier, _ = facts.split(" ")
    return path, (mode, identifier)


def _wanted(path: str, paths: Sequence[str]) -> bool:
    return any(not wanted or path == wanted or path.startswith(f"{wanted}/") for wanted in paths)


def _inner(module: str, paths: Sequence[str]) -> list[str]:
    """What is wanted of the submodule at ``module``: all of it, some paths inside it, or nothing."""
    if _wanted(module, paths):
        return [""]
    return [path.removeprefix(f"{module}/") for path in paths if path.startswith(f"{module}/")]


def _submodule(repository: Repository, sha: str, path: str, commit: str) -> Repository:
    listing = repository.git("config", "--blob", f"{sha}:.gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$")
    settings = [entry.partition("\n") for entry in listing.output.split("\0")]  # "submodule.NAME.path", its value
    names = [key[len("submodule.") : -len(".path")] for key, _, at in settings if at == path]
    candidates = [repository.common_dir / "modules" / name for name in (*names, path)]
    work_tree = repository.top / path
    if (work_tree / ".git").exists():
        candidates.insert(0, Repository.find(work_tree).git_dir)
    for git_dir in candidates:
        module = Repository(work_tree if work_tree.is_dir() else repository.top, git_dir, git_dir)
        if git_dir.is_dir() and module.git("cat-file", "-e", f"{commit}^{{commit}}").code == 0:
            return module
    raise FailedBefore(
        f"submodule {path} at {typed(commit)} is not on this machine: its files would be missing from the image",
        "run `git submodule update --init --recursive`",
    )


def _fill_lfs(repository: Repository, env: Mapping[str, str], sha: str, files: Sequence[str], folder: Path) -> None:
    """Replace Git LFS pointers by their content, from this clone's own store."""
    pointers = {path: pointer for path in files if (pointer := _pointer(folder / path)) is not None}
    if not pointers:
        return
    arguments = ("check-attr", "--cached", "-z", "--stdin", "filter")
    fields = _git(repository, env, *arguments, input="".join(f"{path}\0" for path in pointers)).split("\0")
    managed = [path for path, value in zip(fields[::3], fields[2::3], strict=False) if value == "lfs"]
    missing = [path for path in managed if not _fill(repository, folder / path, pointers[path])]
    if missing:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise FailedBefore(
            f"Git LFS content is not on this machine: {', '.join(missing[:10])}{more}",
            f"run `git lfs pull` (for a commit that is not checked out: `git lfs fetch origin {sha}`)",
        )


def _pointer(file: Path) -> str | None:
    """The SHA-256 that a Git LFS pointer file names; None for any other file."""
    if file.is_symlink() or file.stat().st_size > _POINTER_SIZE:
        return None
    text = file.read_bytes()
    named = re.search(rb"^oid sha256:([0-9a-f]{64})$", text, re.MULTILINE) if text.startswith(_POINTER) else None
    return named[1].decode() if named else None


def _fill(repository: Repository, file: Path, oid: str) -> bool:
    setting = repository.git("config", "--get", "lfs.storage").output.strip()
    store = repository.common_dir / (PurePosixPath(setting) if setting else "lfs")
    stored = store / "objects" / oid[:2] / oid[2:4] / oid
    if not stored.is_file():
        return False
    with stored.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != oid:
            return False
    shutil.copyfile(stored, file)  # the file keeps its own mode
    return True
