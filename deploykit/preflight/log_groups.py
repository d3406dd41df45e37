"""Do the log groups exist? A task whose awslogs driver cannot write to its group does not start.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial

from deploykit.edges.aws.logs import group_exists
from deploykit.edges.aws.session import Aws
from deploykit.model.finding import Finding
from deploykit.model.observed import Definition
from deploykit.preflight.looking import look_for_each, missing, verb


def check_log_groups(aws: Aws, definitions: Mapping[str, Definition]) -> tuple[Finding, ...]:
    """``log-group-missing`` for each log group that containers of ``definitions`` (by service) would not create.

    One call for each group, side by side.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for key, definition in definitions.items():
        for container in definition.containers:
            logging = container.get("logConfiguration") or {}
            options = logging.get("options") or {}
            created = options.get("awslogs-create-group") == "true"
            if logging.get("logDriver") == "awslogs" and options.get("awslogs-group") and not created:
                users[options["awslogs-group"]].add(key)
    return look_for_each("log group", users, partial(_group, aws), unseen={})


def _group(aws: Aws, group: str, services: Collection[str]) -> Iterable[Finding]:
    if not aws.remember(("log group", group), partial(group_exists, aws, group)):
        yield missing(
            "log-group-missing",
            services,
            f"log group {group} does not exist, and {verb(services, 'write')} to it",
            f"`aws logs create-log-group --log-group-name {group} --region {aws.region}`",
        )
