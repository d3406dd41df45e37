"""May tasks pull their images? IAM gives one half of the answer; this check reads the repository's own policy.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from deploykit.edges.aws.ecr_names import parse_reference
from deploykit.edges.aws.ecr_policy import PULL, RepositoryPolicy, repository_policy
from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.looking import attempt, could_not_look


@dataclass(frozen=True)
class _Pull:
    """One role that pulls from one repository. ``owner``: the repository's account."""

    service: str
    owner: str
    repository: str
    role: str | None  # the execution role's ARN; without one, the instances' role pulls


def check_pulls(
    aws: Aws, definitions: Mapping[str, Definition], account: str, registry: str | None = None
) -> tuple[Finding, ...]:
    """``pull-denied`` where a repository's policy prevents tasks of ``definitions`` (by service) from pulling.

    A warning where that depends on conditions, or where the policy cannot be read. Repositories of other regions are
    not checked. One call for each repository, side by side.
    """
    pulls = [
        pull for key, definition in definitions.items() for pull in _pulls(key, definition, account, registry, aws)
    ]
    places = sorted({(pull.owner, pull.repository) for pull in pulls})
    asks = {
        place: partial(repository_policy, aws, place[1], place[0] if place[0] != account else None) for place in places
    }
    policies = side_by_side({place: partial(attempt, ask) for place, ask in asks.items()})
    unread = [
        could_not_look(
            f"at the policy of {_named(name, owner, account)}",
            {pull.service for pull in pulls if (pull.owner, pull.repository) == (owner, name)},
            policy.message,
        )
        for (owner, name), policy in policies.items()
        if isinstance(policy, DeploykitError)
    ]
    judged = [
        finding
        for pull in pulls
        if isinstance(policy := policies[pull.owner, pull.repository], RepositoryPolicy)
        for finding in _judged(pull, policy, account)
    ]
    return tuple(dict.fromkeys((*unread, *judged)))


def _pulls(key: str, definition: Definition, account: str, registry: str | None, aws: Aws) -> Iterator[_Pull]:
    role = definition.content.get("executionRoleArn") or None
    for container in definition.containers:
        reference = parse_reference(str(container.get("image", "")), registry)
        if reference is not None and reference.region in (None, aws.region):
            yield _Pull(key, reference.account or account, reference.repository, role)


def _judged(pull: _Pull, policy: RepositoryPolicy, account: str) -> Iterator[Finding]:
    """An error where pulls fail for certain, a warning where they may fail."""
    words = {action: policy.denies(action, account, pull.role) for action in PULL}
    denied = ", ".join(action for action, word in words.items() if word == "yes")
    unsure = ", ".join(action for action, word in words.items() if word == "perhaps")
    registry = "" if pull.owner == account else f" --registry-id {pull.owner}"
    hint = f"`aws ecr get-repository-policy --repository-name {pull.repository}{registry}` shows it"
    place = f"{pull.service}: the policy of {_named(pull.repository, pull.owner, account)}"
    error = partial(Finding, "pull-denied", "error", "high", pull.service)
    if denied:
        yield error(f"{place} denies {denied} to its tasks", hint=f"fix it ({hint})")
    elif pull.owner != account and not all(policy.allows(action, account, pull.role) for action in PULL):
        yield error(f"{place} does not allow account {account} to pull", hint=f"allow it there ({hint})")
    elif unsure:
        summary = f"{place} may deny {unsure} to its tasks"
        yield Finding("pull-denied", "warning", "low", pull.service, summary, hint=hint)


def _named(repository: str, owner: str, account: str) -> str:
    return f"repository {repository}" + ("" if owner == account else f" of account {owner}")
