"""How two commits stand to each other, as far as this clone knows; and fetching what it lacks."""

from __future__ import annotations

import re

from deploykit.edges.git import GIT_SECONDS, Relation, Repository

# Objects only: no ref, no tag, no FETCH_HEAD, nothing pruned, no garbage collection, and no submodules.
# An empty --refmap keeps git from updating refs/remotes/origin besides.
_OBJECTS_ONLY = (
    *("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules"),
    *("--no-auto-gc", "--no-write-fetch-head", "--refmap="),
)


def local_relation(repository: Repository, base: str, head: str) -> Relation | None:
    """What this clone knows; None where it lacks a commit, or where it is shallow and the answer is no."""
    if base == head:
        return Relation.IDENTICAL
    if repository.is_ancestor(base, head):
        return Relation.AHEAD
    backwards = repository.is_ancestor(head, base)
    if backwards is None:
        return None
    return Relation.BEHIND if backwards else Relation.DIVERGED


def has_commit(repository: Repository, sha: str) -> bool:
    """True where the commit itself is in this clone; its history may not be."""
    return repository.git("cat-file", "-e", f"{sha}^{{commit}}", timeout=GIT_SECONDS).code == 0


def fetch_history(repository: Repository, sha: str) -> str:
    """Fetch from ``origin`` the whole history, and commit ``sha`` if it is not in that. Only objects are added.

    → what git said if the clone is shallow or lacks the commit after all; empty if it does not.
    """
    trouble = ""
    # HEAD may lead nowhere, and some servers give no commit by its SHA; either makes the clone complete
    for wanted in ("HEAD", sha) if repository.shallow else (sha,):
        shallow = repository.shallow  # git refuses --unshallow for a complete clone
        if not shallow and has_commit(repository, sha):
            return ""
        deeper = ("--unshallow",) if shallow else ()
        done = repository.git("fetch", *_OBJECTS_ONLY, *deeper, "origin", wanted, timeout=GIT_SECONDS)
        trouble = _told(done.errors) if done.code else ""
        if done.code == 124:  # the time is over: the next try would take as long
            break
    return trouble


def _told(errors: str) -> str:
    """The line of git's errors that says why, never with credentials in it."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["git failed"]
    line = next((line for line in lines if line.startswith("fatal:")), lines[-1])
    return re.sub(r"(://)[^/@\s]*@", r"\1", line.removeprefix("fatal:").strip())
