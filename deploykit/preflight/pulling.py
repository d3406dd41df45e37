"""May tasks pull their images? IAM is one half of the answer; this check reads the repository's own policy.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

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

    A warning where that depends on conditions, or the policy cannot be read. Repositories of other regions are left
    out. One call for each repository, side by side.
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
    """What certainly goes wrong (an error), or may (a warning)."""
    place = f"{pull.service}: the policy of {_named(pull.repository, pull.owner, account)}"
    registry = "" if pull.owner == account else f" --registry-id {pull.owner}"
    shown = f"`aws ecr get-repository-policy --repository-name {pull.repository}{registry}` shows it"
    words = {action: policy.denies(action, account, pull.role) for action in PULL}
    denied = ", ".join(action for action, word in words.items() if word == "yes")
    unsure = ", ".join(action for action, word in words.items() if word == "perhaps")

    def finding(severity: Literal["error", "warning"], summary: str, hint: str) -> Finding:
        confidence: Literal["high", "low"] = "high" if severity == "error" else "low"
        return Finding("pull-denied", severity, confidence, pull.service, f"{place} {summary}", hint=hint)

    if denied:
        yield finding("error", f"denies {denied} to its tasks", f"fix it ({shown})")
    elif pull.owner != account and not all(policy.allows(action, account, pull.role) for action in PULL):
        yield finding("error", f"does not allow account {account} to pull", f"allow it there ({shown})")
    elif unsure:
        yield finding("warning", f"may deny {unsure} to its tasks", shown)


def _named(repository: str, owner: str, account: str) -> str:
    return f"repository {repository}" + ("" if owner == account else f" of account {owner}")
