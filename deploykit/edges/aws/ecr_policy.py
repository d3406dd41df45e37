"""A repository's own policy, and whether it denies pulls or pushes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Literal

from deploykit.edges.aws import partitions
from deploykit.edges.aws.session import Aws, AwsRefused

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html
PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSH = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")
RETAG = ("ecr:PutImage",)

Word = Literal["yes", "perhaps", "no"]


@dataclass(frozen=True)
class RepositoryPolicy:
    """The statements of a policy; none where the repository has no policy."""

    statements: tuple[Mapping[str, Any], ...] = ()

    def denies(self, action: str, account: str, role: str | None) -> Word:
        """Whether ``action`` is denied to ``role`` of ``account`` (an ARN; None: not known which).

        ``perhaps``: under conditions, or to principals that may include the role.
        """
        words = [_deny(statement, account, role) for statement in self._about("Deny", action)]
        return "yes" if "yes" in words else "perhaps" if words and set(words) != {"no"} else "no"

    def allows(self, action: str, account: str, role: str | None) -> bool:
        """Whether another account's repository allows ``action`` to ``role`` of ``account``; conditions count as met.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
        """
        return any(
            "NotPrincipal" in statement or bool(_named(statement, "Principal") & _names_of(account, role))
            for statement in self._about("Allow", action)
        )

    def _about(self, effect: str, action: str) -> list[Mapping[str, Any]]:
        return [s for s in self.statements if s.get("Effect") == effect and _speaks_of(s, action)]


def repository_policy(aws: Aws, repository: str, account: str | None = None) -> RepositoryPolicy | None:
    """The repository's policy, read once; None where the repository does not exist. ``account``: its registry's.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRepositoryPolicy.html
    """
    return aws.remember(("repository policy", account or "", repository), partial(_read, aws, repository, account))


def own_principal(aws: Aws) -> str:
    """The ARN of the user or role that this run acts as, as policies name it; a role's path is left out.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
    Raises: OutOfReach.
    """
    arn = str(aws.remember(("caller",), lambda: aws.call("sts", "GetCallerIdentity"))["Arn"])
    session = re.fullmatch(r"(arn:[\w-]+):sts::(\d+):assumed-role/([^/]+)/.*", arn)
    return f"{session[1]}:iam::{session[2]}:role/{session[3]}" if session else arn


def _read(aws: Aws, repository: str, account: str | None) -> RepositoryPolicy | None:
    registry: dict[str, Any] = {"registryId": account} if account else {}
    try:
        text = aws.call("ecr", "GetRepositoryPolicy", repositoryName=repository, **registry)["policyText"]
    except AwsRefused as error:
        if error.error == "RepositoryPolicyNotFoundException":
            return RepositoryPolicy()
        if error.error == "RepositoryNotFoundException":
            return None
        raise
    try:
        policy = json.loads(text)
    except ValueError as error:
        raise AwsRefused("ecr", "GetRepositoryPolicy", "NotJson", f"the policy of {repository} is {error}") from error
    statements = policy.get("Statement") or ()
    return RepositoryPolicy(tuple([statements] if isinstance(statements, Mapping) else statements))


def _deny(statement: Mapping[str, Any], account: str, role: str | None) -> Word:
    if "NotPrincipal" in statement:
        return "no" if role in _named(statement, "NotPrincipal") else "perhaps"
    named = _named(statement, "Principal")
    if named & {"*", role}:
        return "perhaps" if statement.get("Condition") else "yes"
    unsure = named & _names_of(account, None) or (role is None and any(f"::{account}:" in name for name in named))
    return "perhaps" if unsure else "no"


def _names_of(account: str, role: str | None) -> set[str]:
    """The names by which a policy may mean a role: its own, its account, or everybody.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    roots = {f"arn:{partition}:iam::{account}:root" for partition in partitions.names()}
    return {"*", account, *roots, *([role] if role else [])}


def _named(statement: Mapping[str, Any], key: str) -> set[str]:
    """The AWS principals that a statement names, without services."""
    principal = statement.get(key)
    return set(_listed(principal.get("AWS") if isinstance(principal, Mapping) else principal))


def _speaks_of(statement: Mapping[str, Any], action: str) -> bool:
    def among(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)

    if "NotAction" in statement:
        return not among(_listed(statement["NotAction"]))
    return among(_listed(statement.get("Action")))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]
