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
from deploykit.model.log_place import log_place
from deploykit.model.observed import Definition
from deploykit.preflight.looking import all_findings, look, missing, verb


def check_log_groups(aws: Aws, definitions: Mapping[str, Definition]) -> tuple[Finding, ...]:
    """``log-group-missing`` for each log group that ``definitions`` (by service) name and that ECS would not create.

    One call for each group, side by side.
    """
    users: dict[tuple[str, str], set[str]] = defaultdict(set)  # region and group → the services that write there
    for key, definition in definitions.items():
        for container in definition.containers:
            place = log_place(container, aws.region)
            if place is not None and not place.made:
                users[place.region, place.group].add(key)
    looks = [
        partial(look, f"log group {group}", who, partial(_group, aws.in_region(region), group, who))
        for (region, group), who in users.items()
    ]
    return all_findings(looks)


def _group(aws: Aws, group: str, services: Collection[str]) -> Iterable[Finding]:
    if not aws.remember(("log group", group), partial(group_exists, aws, group)):
        yield missing(
            "log-group-missing",
            services,
            f"log group {group} does not exist in {aws.region}, and {verb(services, 'write')} to it",
            f"`aws logs create-log-group --log-group-name {group} --region {aws.region}`",
        )
