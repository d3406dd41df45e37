"""Do the roles exist? ECS registers a task definition without its roles, and its tasks then fail to start.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/security-ecs-iam-role-overview.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from deploykit.edges.aws.exists import role_exists
from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.looking import look_for_each, missing, verb

_ROLE = re.compile(r"arn:[\w-]+:iam::(?P<account>\d{12}):role/(?:.+/)?(?P<name>[^/]+)")


def check_roles(aws: Aws, definitions: Mapping[str, Definition], account: str) -> tuple[Finding, ...]:
    """``role-missing`` for each task or execution role of ``definitions`` (by service) that ``account`` does not have.

    One call for each role, side by side.
    """
    needed: dict[str, set[str]] = defaultdict(set)
    unseen: dict[str, set[str]] = defaultdict(set)
    for key, definition in definitions.items():
        for name in ("taskRoleArn", "executionRoleArn"):
            if arn := definition.content.get(name):
                role = _ROLE.fullmatch(arn)
                (unseen if role and role["account"] != account else needed)[arn].add(key)
    return look_for_each("role", needed, partial(_role, aws), unseen, "account")


def _role(aws: Aws, role: str, services: Collection[str]) -> Iterable[Finding]:
    name = role.rpartition("/")[2]
    if not aws.remember(("role", name), partial(role_exists, aws, name)):
        yield missing(
            "role-missing",
            services,
            f"role {role} does not exist, and {verb(services, 'need')} it",
            f"create it again where it was defined (Terraform), or `aws iam create-role --role-name {name} "
            "--assume-role-policy-document …` and attach its policies",
        )
