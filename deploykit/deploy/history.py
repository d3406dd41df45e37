"""Never backwards, and nothing withdrawn: what the history of the commit says against releasing it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deploykit.deploy.request import DeployRequest
from deploykit.edges.git import Relation, Source
from deploykit.edges.git_history import fetch_history, has_commit, local_relation
from deploykit.edges.github import compare
from deploykit.edges.world import World
from deploykit.errors import Refused
from deploykit.ledger.running import withdrawn
from deploykit.ledger.store import started_of
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.release import short


def refuse_older(
    request: DeployRequest,
    source: Source,
    observed: Mapping[str, ObservedService],
    chosen: Sequence[str],
    world: World,
) -> None:
    """Raises: Refused unless ``source`` contains every commit that the ``chosen`` services run.

    Nothing is refused under ``--allow-older`` or ``history = "any"``, or where no service runs a commit.
    """
    if request.allow_older or request.configuration.history == "any":
        return
    running = [observed[key].sha for key in chosen if key in observed]
    for sha in dict.fromkeys(_commit(sha) for sha in running if sha):
        relation = relation_of(source, sha, world)
        if relation is None or not relation.contains:
            raise _backwards(source, sha, relation)


def _backwards(source: Source, running: str, relation: Relation | None) -> Refused:
    ours, theirs = source.commit.short, short(running)
    if relation is None:
        return Refused(
            f"commit {ours} may be older than the running {theirs}: too little history is known to tell",
            f"{_fetch_first(source)}, or release it all the same with --allow-older",
        )
    words = {
        Relation.BEHIND: f"commit {ours} is older than the running {theirs}",
        Relation.DIVERGED: f"commit {ours} does not contain the running {theirs}: the two have diverged",
    }
    return Refused(words[relation], Hint(command("rollback"), " goes back; --allow-older releases it anyway"))


def refuse_withdrawn(request: DeployRequest, source: Source, entries: Sequence[LedgerEntry], world: World) -> None:
    """Raises: Refused where a rollback left this commit, or one that it contains and that it was not made after.

    What was wrong has not changed then. A commit that was made after the rollback is taken for the fix.
    ``entries``: newest first.
    """
    if request.allow_withdrawn:
        return
    tag = source.commit.tag
    releases = [entry for entry in entries if _releases(entry)]
    if left := _left([entry for entry in releases if entry.sha == tag], entries):
        raise Refused(
            f"commit {short(tag)} {left.words}",
            "deploy a commit that fixes it, or release it all the same with --allow-withdrawn",
        )
    by_commit: dict[str, list[LedgerEntry]] = {}
    for entry in releases:
        by_commit.setdefault(_commit(entry.sha or ""), []).append(entry)
    for commit, of_commit in by_commit.items():
        left = _left(of_commit, entries)
        # of the very same commit the question above was enough: what was uncommitted beside it is not in it
        if commit != tag and left and _queued(source, left, releases):
            _refuse_contained(source, left, world)


def _refuse_contained(source: Source, left: _Left, world: World) -> None:
    """Raises: Refused where the commit contains what was ``left``, or where that cannot be told."""
    contained = contains(source, _commit(left.entry.sha or ""), world)
    ours, theirs = source.commit.short, short(left.entry.sha or "")
    if contained:
        raise Refused(
            f"commit {ours} contains {theirs}, which {left.words}, and was committed before that",
            "commit the fix on top (a later commit passes), or release it all the same with --allow-withdrawn",
        )
    if contained is None:
        raise Refused(
            f"commit {ours} may contain {theirs}, which {left.words}: too little history is known to tell",
            f"{_fetch_first(source)}, or release it all the same with --allow-withdrawn",
        )


@dataclass(frozen=True)
class _Left:
    """A release that a rollback left, and the rollback's own entry, where it is among those that were read."""

    entry: LedgerEntry
    rollback: LedgerEntry | None

    @property
    def words(self) -> str:
        """``was withdrawn by ann with rollback ID (prices are wrong)``"""
        by = f" by {self.rollback.by}" if self.rollback else ""
        which = f"rollback {self.entry.withdrawn_by}" if self.entry.withdrawn_by else "a rollback"
        why = f" ({self.rollback.reason})" if self.rollback and self.rollback.reason else ""
        return f"was withdrawn{by} with {which}{why}"

    @property
    def time(self) -> datetime | None:
        """When the rollback began; None where only tags tell of it."""
        began = self.rollback.started if self.rollback else ""
        return _moment(began) or _moment(started_of(self.entry.withdrawn_by or ""))


def _left(of_commit: Sequence[LedgerEntry], entries: Sequence[LedgerEntry]) -> _Left | None:
    """The newest release of one commit that a rollback left; None where the commit was released well after that."""
    left = next((entry for entry in of_commit if withdrawn(entry)), None)
    if left is None or any(_well(entry) and entry.id > left.id for entry in of_commit):
        return None
    return _Left(left, next((entry for entry in entries if entry.id == left.withdrawn_by), None))


def _queued(source: Source, left: _Left, releases: Sequence[LedgerEntry]) -> bool:
    """True where the commit was made before the rollback, and not released (as insisted on) since."""
    made, rolled_back = _moment(source.commit.time), left.time
    if made is None or rolled_back is None or made >= rolled_back:
        return False
    since = left.entry.withdrawn_by or ""
    return not any(entry.sha == source.commit.tag and _well(entry) and entry.id > since for entry in releases)


def _releases(entry: LedgerEntry) -> bool:
    """True for a run that released a commit: `deploy`, or `rollout` as a step by itself."""
    step = entry.kind == "step" and any(service.changed for service in entry.services.values())
    return bool(entry.sha) and (entry.kind == "deploy" or step)


def _well(entry: LedgerEntry) -> bool:
    return not withdrawn(entry) and entry.verdict is not None


def relation_of(source: Source, base: str, world: World) -> Relation | None:
    """How the commit stands to ``base``: by this clone, else by GitHub, else by this clone with more history.

    None where none of them knows. An answer is kept in ``source``: a run that waited for its turn asks again.
    """
    if base not in source.relations and (found := _found_out(source, base, world)):
        source.relations[base] = found
    return source.relations.get(base)


def _found_out(source: Source, base: str, world: World) -> Relation | None:
    repository, head = source.repository, source.commit.sha
    if not re.fullmatch(r"[0-9a-f]{40}", base):
        return None  # a tag that somebody else wrote
    if known := local_relation(repository, base, head):
        return known
    origin = repository.origin_url()
    known = compare(world.environ, origin, base, head)
    if known or origin is None or (not repository.shallow and has_commit(repository, base)):
        return known
    world.progress.say(f"fetching history from origin, to see how {short(head)} stands to {short(base)}")
    if trouble := fetch_history(repository, base):
        world.progress.warn(f"the history of {short(base)} could not be fetched from origin: {trouble}")
    return local_relation(repository, base, head)


def contains(source: Source, base: str, world: World) -> bool | None:
    """Whether the commit contains ``base``; None where that cannot be told."""
    if not source.repository.shallow:  # it has all that the commit contains: nobody else need be asked
        return source.repository.is_ancestor(base, source.commit.sha) is True
    relation = relation_of(source, base, world)
    if relation is not None:
        return relation.contains
    return None if source.repository.shallow else False


def _fetch_first(source: Source) -> str:
    if source.repository.shallow:
        return (
            "fetch the history first (`git fetch --unshallow`; in GitHub Actions `fetch-depth: 0` of actions/checkout)"
        )
    return "fetch the branch that has it first (`git fetch --all`)"


def _commit(sha: str) -> str:
    """The commit of an image's tag, which names uncommitted changes besides."""
    return sha[:40]


def _moment(text: str) -> datetime | None:
    """RFC 3339 as a time; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
