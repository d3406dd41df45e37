"""What is to be released: the commit, what speaks against it, and its images in the registry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deploykit.config.schema import Configuration
from deploykit.deploy.request import DeployRequest
from deploykit.edges.git import Repository, Source
from deploykit.errors import Refused
from deploykit.images import sources
from deploykit.ledger.running import withdrawn
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import TAG_ENVIRONMENT, ObservedService, running_sha
from deploykit.model.progress import Progress
from deploykit.model.release import Commit, short
from deploykit.targets.ecs.observe import refuse_controllers


def identify(request: DeployRequest, chosen: Sequence[str]) -> Source:
    """The commit that the request means; uncommitted changes beside it are another question.

    Raises: FailedBefore (no repository, unknown commit).
    """
    configuration = request.configuration
    repository = Repository.find(configuration.root)
    if request.revision is None and not request.allow_dirty:
        return Source(repository, repository.head())
    commit = sources.identify(repository, configuration, chosen, sha=request.revision, allow_dirty=request.allow_dirty)
    return Source(repository, commit)


def identify_clean(request: DeployRequest, chosen: Sequence[str]) -> Source:
    """As ``identify``, and Raises: Refused where something is uncommitted and was not asked for."""
    source = identify(request, chosen)
    if request.revision is None and not request.allow_dirty:
        sources.refuse_uncommitted(source.repository, request.configuration, chosen)
    return source


def chosen_services(configuration: Configuration, asked: Sequence[str]) -> tuple[str, ...]:
    """The services that the command is about: those asked for, else all, in the file's order."""
    return tuple(key for key in configuration.services if not asked or key in asked)


def refuse_older(
    request: DeployRequest, source: Source, observed: Mapping[str, ObservedService], progress: Progress
) -> None:
    """Raises: Refused where ``source`` would not bring the running commit forward (``history = "forward"``)."""
    target, running = source.commit.sha, running_sha(observed)
    if request.allow_older or request.configuration.history == "any" or running is None or running[:40] == target:
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
            Hint(command("rollback"), " goes back; --allow-older releases it anyway"),
        )


def refuse_withdrawn(request: DeployRequest, commit: Commit, entries: Sequence[LedgerEntry]) -> None:
    """Raises: Refused where a rollback left this commit: what was wrong with it has not changed."""
    sha = commit.tag
    if request.allow_withdrawn:
        return
    of_commit = [entry for entry in entries if entry.kind == "deploy" and entry.sha == sha]
    left = next((entry for entry in of_commit if withdrawn(entry)), None)
    healthy_since = left and any(
        not withdrawn(entry) and entry.id > left.id and entry.verdict is not None for entry in of_commit
    )
    if left is None or healthy_since:
        return
    rollback = next((e for e in entries if e.id == left.withdrawn_by), None)
    why = f" ({rollback.reason})" if rollback and rollback.reason else ""
    by = f" by {rollback.by}" if rollback else ""
    which = f"rollback {left.withdrawn_by}" if left.withdrawn_by else "a rollback"
    raise Refused(
        f"commit {short(sha)} was withdrawn{by} with {which}{why}",
        "deploy a commit that fixes it, or release it all the same with --allow-withdrawn",
    )


def refuse_unrollable(observed: Mapping[str, ObservedService], chosen: Collection[str]) -> None:
    """Raises: FailedBefore where one of the ``chosen`` services is not ECS's own to roll out."""
    refuse_controllers({key: observed[key].state.controller for key in chosen if key in observed})


def refuse_other_environments(
    configuration: Configuration, observed: Mapping[str, ObservedService], keys: Collection[str]
) -> None:
    """Raises: Refused where a service or a distribution belongs to another environment."""
    for key in keys:
        other = observed[key].definition.tags.get(TAG_ENVIRONMENT) if key in observed else None
        if other and other != configuration.environment:
            raise Refused(
                f"service {observed[key].state.name} belongs to environment {other}, not {configuration.environment} "
                f"(tag {TAG_ENVIRONMENT} of {observed[key].definition.arn})",
                f"check `service` and `cluster` of [services.{key}] for {configuration.environment}",
            )
    for key, cdn in configuration.cdn.items():
        other = configuration.other_distributions.get(cdn.distribution)
        if other:
            raise Refused(
                f"distribution {cdn.distribution} of [cdn.{key}] is also named by environment {other}",
                "give each environment its own distribution",
            )
