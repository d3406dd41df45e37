"""May tasks pull their images? IAM is one half of the answer; the repository's own policy is looked at here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from deploykit.deploy.returning.startable import Startable
from deploykit.edges.aws.ecr_names import parse_reference
from deploykit.edges.aws.ecr_policy import PULL, RepositoryPolicy, repository_policy
from deploykit.edges.aws.session import Aws, AwsRefused
from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, OutOfReach


@dataclass(frozen=True)
class _Pull:
    """One role that pulls from one repository. ``owner``: the repository's account."""

    service: str
    owner: str
    repository: str
    role: str | None  # the execution role's ARN; without one, the instances' role pulls


def unpullable(
    aws: Aws, registrations: Mapping[str, Mapping[str, Any]], account: str, registry: str | None = None
) -> Startable:
    """Repositories whose policy keeps the tasks of ``registrations`` (by service) from pulling their images.

    A problem where that is sure; what depends on conditions, or may not be read, is a warning. Repositories of other
    regions are left out.
    """
    pulls = [pull for key, content in registrations.items() for pull in _pulls(key, content, account, registry, aws)]
    places = {(pull.owner, pull.repository) for pull in pulls}
    asks = {
        place: partial(_looked, aws, place[1], place[0] if place[0] != account else None) for place in sorted(places)
    }
    found = side_by_side(asks)
    problems: list[str] = []
    warnings = [
        f"could not look at the policy of {_named(repository, owner, account)}: {policy.message}"
        for (owner, repository), policy in found.items()
        if isinstance(policy, DeploykitError)
    ]
    for pull in pulls:
        policy = found[pull.owner, pull.repository]
        if isinstance(policy, RepositoryPolicy):
            problem, warning = _judged(pull, policy, account)
            problems += [problem] if problem else []
            warnings += [warning] if warning else []
    return Startable(tuple(dict.fromkeys(problems)), tuple(dict.fromkeys(warnings)))


def _pulls(key: str, content: Mapping[str, Any], account: str, registry: str | None, aws: Aws) -> list[_Pull]:
    role = content.get("executionRoleArn") or None
    references = [
        parse_reference(str(container.get("image", "")), registry)
        for container in content.get("containerDefinitions") or ()
    ]
    return [
        _Pull(key, reference.account or account, reference.repository, role)
        for reference in references
        if reference is not None and reference.region in (None, aws.region)
    ]


def _looked(aws: Aws, repository: str, account: str | None) -> RepositoryPolicy | DeploykitError | None:
    try:
        return repository_policy(aws, repository, account)
    except (OutOfReach, AwsRefused) as error:
        return error


def _judged(pull: _Pull, policy: RepositoryPolicy, account: str) -> tuple[str, str]:
    """What is sure to go wrong, and what may."""
    place = _named(pull.repository, pull.owner, account)
    shown = f"`aws ecr get-repository-policy --repository-name {pull.repository}"
    shown += "`" if pull.owner == account else f" --registry-id {pull.owner}`"
    words = {action: policy.denies(action, account, pull.role) for action in PULL}
    denied = ", ".join(action for action, word in words.items() if word == "yes")
    if denied:
        return f"{pull.service}: the policy of {place} denies {denied} to its tasks: mend it ({shown} shows it)", ""
    if pull.owner != account and not all(policy.allows(action, account, pull.role) for action in PULL):
        return f"{pull.service}: the policy of {place} lets nobody of account {account} pull ({shown} shows it)", ""
    if unsure := ", ".join(action for action, word in words.items() if word == "perhaps"):
        return "", f"{pull.service}: the policy of {place} may deny {unsure} to its tasks ({shown} shows it)"
    return "", ""


def _named(repository: str, owner: str, account: str) -> str:
    return f"repository {repository}" + ("" if owner == account else f" of account {owner}")
