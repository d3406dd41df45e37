"""What is to be released and where: the commit, the services, and what speaks against them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from deploykit.config.schema import Configuration
from deploykit.deploy.request import DeployRequest
from deploykit.edges.git import Repository, Source
from deploykit.errors import Refused
from deploykit.images import sources
from deploykit.model.observed import TAG_ENVIRONMENT, ObservedService
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
