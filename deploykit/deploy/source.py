"""What is to be released: the commit, what speaks against it, and its images in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploykit.build import sources
from deploykit.config.schema import Configuration
from deploykit.deploy.orders import DeployOrder
from deploykit.deploy.plan import running_sha
from deploykit.edges.git import Repository
from deploykit.errors import Refused
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, Outcome, Verdict, short


@dataclass(frozen=True)
class Source:
    """A commit in its repository."""

    repository: Repository
    commit: Commit


def identify(order: DeployOrder, chosen: Sequence[str]) -> Source:
    """The commit that the order means; whether something is uncommitted beside it is another question.

    Raises: FailedBefore (no repository, unknown commit).
    """
    configuration = order.configuration
    repository = Repository.find(configuration.root)
    if order.revision is None and not order.allow_dirty:
        return Source(repository, repository.head())
    commit = sources.identify(repository, configuration, chosen, sha=order.revision, allow_dirty=order.allow_dirty)
    return Source(repository, commit)


def identify_clean(order: DeployOrder, chosen: Sequence[str]) -> Source:
    """As ``identify``, and Raises: Refused where something is uncommitted and was not asked for."""
    source = identify(order, chosen)
    if order.revision is None and not order.allow_dirty:
        sources.refuse_uncommitted(source.repository, order.configuration, chosen)
    return source


def chosen_services(configuration: Configuration, asked: Sequence[str]) -> tuple[str, ...]:
    """The services that the command is about: those asked for, else all, in the file's order."""
    return tuple(key for key in configuration.services if not asked or key in asked)


def refuse_older(
    order: DeployOrder, source: Source, observed: Mapping[str, ObservedService], progress: Progress
) -> None:
    """Raises: Refused where ``source`` would not bring the running commit forward (``history = "forward"``)."""
    target, running = source.commit.sha, running_sha(observed)
    if order.allow_older or order.configuration.history == "any" or running is None or running[:40] == target:
        return
    forward = source.repository.is_ancestor(running[:40], target)
    if forward is None:
        progress.warn(
            f"the running commit {short(running)} is not in this clone, so it cannot be told whether "
            f"{short(target)} is newer (fetch more history to have it checked)"
        )
        return
    if not forward:
        older = source.repository.is_ancestor(target, running[:40])
        words = "is older than" if older else "does not contain"
        raise Refused(
            f"commit {short(target)} {words} the running {short(running)}",
            "`deploykit rollback` goes back; --allow-older releases it all the same",
        )


def refuse_withdrawn(order: DeployOrder, commit: Commit, entries: Sequence[LedgerEntry]) -> None:
    """Raises: Refused where a rollback left this commit: what was wrong with it has not changed."""
    sha = commit.tag
    if order.allow_withdrawn:
        return
    of_commit = [entry for entry in entries if entry.kind == "deploy" and entry.sha == sha]
    withdrawn = next((entry for entry in of_commit if _left(entry)), None)
    healthy_since = withdrawn and any(
        not _left(entry) and entry.id > withdrawn.id and entry.verdict is not None for entry in of_commit
    )
    if withdrawn is None or healthy_since:
        return
    rollback = next((e for e in entries if e.id == withdrawn.withdrawn_by), None)
    why = f" ({rollback.reason})" if rollback and rollback.reason else ""
    by = f" by {rollback.by}" if rollback else ""
    which = f"rollback {withdrawn.withdrawn_by}" if withdrawn.withdrawn_by else "a rollback"
    raise Refused(
        f"commit {short(sha)} was withdrawn{by} with {which}{why}",
        "deploy a commit that mends it, or --allow-withdrawn to release it all the same",
    )


def _left(entry: LedgerEntry) -> bool:
    """True where a rollback withdrew the release; tags tell it as a verdict, without by which."""
    return bool(entry.withdrawn_by) or entry.verdict is Verdict.WITHDRAWN


def unfinished(entries: Sequence[LedgerEntry], sha: str, tags: Mapping[str, str | None]) -> LedgerEntry | None:
    """The entry that the next deploy of ``sha`` goes on with: the newest release, not judged yet.

    ``tags``: the release that each live definition is tagged with.  An entry that nothing runs of any more (it was
    killed before its first rollout) is left behind, unless it had begun a migration: the baseline in it is older than
    what that may have changed.
    """
    releases = [entry for entry in entries if entry.kind in ("deploy", "rollback") or _rolled_out(entry)]
    newest = releases[0] if releases else None
    if newest is None or newest.kind == "rollback" or newest.sha != sha or _left(newest):
        return None
    judged = newest.verdict is not None and newest.verdict.final
    migrating = any(record.release == newest.id for record in newest.migrations.values())
    cut_off = migrating and newest.kind == "deploy" and newest.outcome in (None, Outcome.INTERRUPTED)
    return newest if not judged and (cut_off or newest.id in tags.values()) else None


def _rolled_out(entry: LedgerEntry) -> bool:
    """True for the step `rollout` by itself, which brings a commit to run and judges nothing."""
    return entry.kind == "step" and any(service.changed for service in entry.services.values())
