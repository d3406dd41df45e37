"""Whom a repository's policy keeps out: sure, perhaps, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from deploykit.edges.aws.ecr_policy import RepositoryPolicy

OURS, THEIRS = "108581769167", "999988887777"
ROLE = f"arn:aws:iam::{OURS}:role/execution"
PULL = "ecr:BatchGetImage"


def deny(principal: Any = "*", action: Any = PULL, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": principal, "Action": action, **more}


SURE = {
    "everybody": deny(),
    "every AWS principal": deny({"AWS": "*"}),
    "the role": deny({"AWS": [f"arn:aws:iam::{OURS}:role/other", ROLE]}),
    "by a pattern": deny(action=["ecr:Batch*"]),
    "in other capitals": deny(action="ECR:batchgetimage"),
    "all but something else": {"Effect": "Deny", "Principal": "*", "NotAction": "ecr:PutImage"},
}
PERHAPS = {
    "under a condition": deny(Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
    "our whole account": deny({"AWS": f"arn:aws:iam::{OURS}:root"}),
    "our whole account in Europe's own partition": deny({"AWS": f"arn:aws-eusc:iam::{OURS}:root"}),
    "our account by its number": deny({"AWS": OURS}),
    "all but others": {"Effect": "Deny", "NotPrincipal": {"AWS": f"arn:aws:iam::{OURS}:role/ci"}, "Action": PULL},
}
NOT = {
    "another role": deny({"AWS": f"arn:aws:iam::{OURS}:role/other"}),
    "another account": deny({"AWS": THEIRS}),
    "a service": deny({"Service": "codebuild.amazonaws.com"}),
    "another action": deny(action=["ecr:PutImage", "ecr:Delete*"]),
    "all but this one": {"Effect": "Deny", "Principal": "*", "NotAction": "ecr:*"},
    "all but us": {"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": PULL},
    "nobody": {"Effect": "Allow", "Principal": "*", "Action": PULL},
}


@pytest.mark.parametrize("who", SURE)
def test_what_is_denied_to_everybody_or_to_the_role_is_sure(who: str) -> None:
    assert RepositoryPolicy((NOT["nobody"], SURE[who])).denies(PULL, OURS, ROLE) == "yes"


@pytest.mark.parametrize("who", PERHAPS)
def test_what_hangs_on_conditions_or_on_who_belongs_to_whom_is_not_sure(who: str) -> None:
    assert RepositoryPolicy((PERHAPS[who],)).denies(PULL, OURS, ROLE) == "perhaps"


@pytest.mark.parametrize("who", NOT)
def test_what_is_denied_to_others_is_of_no_matter(who: str) -> None:
    assert RepositoryPolicy((NOT[who],)).denies(PULL, OURS, ROLE) == "no"


def test_a_denial_of_some_role_of_the_account_is_not_sure_while_it_is_not_known_who_asks() -> None:
    policy = RepositoryPolicy((NOT["another role"],))
    assert policy.denies(PULL, OURS, None) == "perhaps"
    assert RepositoryPolicy((NOT["another account"],)).denies(PULL, OURS, None) == "no"
    assert RepositoryPolicy((SURE["everybody"],)).denies(PULL, OURS, None) == "yes"


@pytest.mark.parametrize("principal", ["*", {"AWS": OURS}, {"AWS": [f"arn:aws:iam::{OURS}:root"]}, {"AWS": ROLE}])
def test_another_accounts_repository_lets_in_whom_it_names(principal: Any) -> None:
    allow = {"Effect": "Allow", "Principal": principal, "Action": "ecr:BatchGet*"}
    assert RepositoryPolicy((allow,)).allows(PULL, OURS, ROLE)


def test_another_accounts_repository_lets_in_nobody_else() -> None:
    assert not RepositoryPolicy().allows(PULL, OURS, ROLE)
    for principal in ({"AWS": THEIRS}, {"Service": "ecs.amazonaws.com"}, {"AWS": f"arn:aws:iam::{OURS}:role/other"}):
        allow = {"Effect": "Allow", "Principal": principal, "Action": PULL}
        assert not RepositoryPolicy((allow,)).allows(PULL, OURS, ROLE)
