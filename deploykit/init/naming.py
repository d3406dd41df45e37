"""Names made from names: the environment, and a service's key on the command line. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import takewhile

ENVIRONMENTS = frozenset(
    {"dev", "development", "test", "testing", "qa", "stage", "staging", "preview", "sandbox", "demo", "uat"}
    | {"preprod", "prod", "production", "live"}
)
_KINDS = frozenset({"service", "svc", "ecs", "fargate"})  # endings of a name that tell nothing
# common names of containers, which do not tell one service from another
_ANY = frozenset({"app", "application", "main", "container", "default", "service", "task", "web-container"})
_MADE_UP = re.compile(r"(?=.*[0-9])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9]{11,13}")  # how CloudFormation ends names


def words(name: str) -> list[str]:
    """The parts of a name, in lower case."""
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", name) if word]


def environment_in(cluster: str, services: Sequence[str]) -> str | None:
    """The environment in the cluster's name, else the one in the name of every service."""
    said = [word for word in words(cluster) if word in ENVIRONMENTS]
    if said:
        return said[0]
    each = [{word for word in words(name) if word in ENVIRONMENTS} for name in services]
    common = set.intersection(*each) if each else set()
    return min(common) if common else None


def service_keys(containers: Mapping[str, str | None], cluster: str, project: str) -> dict[str, str]:
    """ECS service to its key in the file; ``containers`` maps each to the container that runs its image."""
    beginnings = takewhile(lambda each: len(set(each)) == 1, zip(*map(words, containers), strict=False))
    common = [each[0] for each in beginnings] if len(containers) > 1 else []
    said = {*words(cluster), *words(project), *ENVIRONMENTS, *common}
    keys = {name: _short(name, said) for name in containers}
    for name, container in containers.items():
        if _MADE_UP.fullmatch(re.split(r"[-_]", name)[-1]) and container and container.lower() not in _ANY:
            keys[name] = "-".join(words(container))
    count = Counter(keys.values())
    taken: set[str] = set()
    for name in containers:
        key = keys[name] if count[keys[name]] == 1 else "-".join(words(name))
        number = 2
        while key in taken:
            key, number = f"{'-'.join(words(name))}-{number}", number + 1
        taken.add(key)
        keys[name] = key
    return keys


def with_placeholder(name: str, environment: str) -> str:
    """``name`` with ``{env}`` for the environment's name, where that is a word of its own."""
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(environment)}(?![A-Za-z0-9])", "{env}", name, count=1)


def _short(name: str, said: set[str]) -> str:
    """``name`` without the words of the cluster, the project and all services; at least one word is left."""
    left = words(name)
    while len(left) > 1 and left[-1] in ENVIRONMENTS | _KINDS:
        left.pop()
    while len(left) > 1 and left[0] in said:
        left.pop(0)
    return "-".join(left) or "service"
