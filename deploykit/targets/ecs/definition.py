"""The next task definition: the live one, with only this release's image, version and tags changed. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from deploykit.errors import FailedBefore
from deploykit.model.observed import (
    TAG_ENVIRONMENT,
    TAG_RELEASE,
    TAG_SHA,
    TAG_VERDICT,
    TAG_WITHDRAWN_BY,
    Definition,
    ObservedService,
)

# What DescribeTaskDefinition adds and RegisterTaskDefinition does not take:
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html
_DESCRIBE_ONLY = frozenset(
    {
        "compatibilities",
        "deregisteredAt",
        "registeredAt",
        "registeredBy",
        "requiresAttributes",
        "revision",
        "status",
        "taskDefinitionArn",
    }
)


def registration(definition: Definition) -> dict[str, Any]:
    """What to send to RegisterTaskDefinition to get this definition once more; fields unknown to us included."""
    return {key: copy.deepcopy(value) for key, value in definition.content.items() if key not in _DESCRIBE_ONLY}


def next_registration(observed: ObservedService, image: str, sha: str, release_env: str | None) -> dict[str, Any]:
    """The service's base with ``image`` (by digest) in its container, and ``sha`` under ``release_env``.

    The base is the live definition, or a newer one that somebody else registered.

    Raises: FailedBefore where the container is not in the definition, or ``release_env`` is one of its secrets.
    """
    request = registration(observed.base)
    container = next((c for c in request["containerDefinitions"] if c.get("name") == observed.container), None)
    if container is None:
        names = ", ".join(str(c.get("name")) for c in request["containerDefinitions"])
        raise FailedBefore(
            f"service {observed.key}: task definition {short(observed.base.arn)} has no container "
            f"{observed.container!r} (it has: {names})",
            f'set `container = "…"` under [services.{observed.key}]',
        )
    container["image"] = image
    if release_env:
        if any(secret.get("name") == release_env for secret in container.get("secrets") or ()):
            raise FailedBefore(
                f"service {observed.key}: release_env {release_env} is also a secret of container "
                f"{observed.container} in {short(observed.base.arn)}",
                f"choose another release_env under [services.{observed.key}], or remove the secret",
            )
        container["environment"] = _with_variable(container.get("environment") or [], release_env, sha)
    return request


def has_variable(observed: ObservedService, name: str | None) -> bool:
    """True where the live container has the variable already, or none is asked for."""
    container = observed.definition.container(observed.container) or {}
    return name is None or any(variable.get("name") == name for variable in container.get("environment") or ())


def release_tags(definition: Definition, release: str, sha: str, environment: str) -> dict[str, str]:
    """The live definition's tags with deploykit's own set; an old verdict is not copied, AWS's own cannot be."""
    judged = (TAG_VERDICT, TAG_WITHDRAWN_BY)
    kept = {k: v for k, v in definition.tags.items() if k not in judged and not k.lower().startswith("aws:")}
    return {**kept, TAG_RELEASE: release, TAG_SHA: sha, TAG_ENVIRONMENT: environment}


def same_content(definition: Definition, request: Mapping[str, Any]) -> bool:
    """True where registering ``request`` would only give ``definition`` another number."""
    return bool(_normal(registration(definition)) == _normal(request))


def short(arn: str) -> str:
    """``web:3`` of a task definition's ARN."""
    return arn.rsplit("/", 1)[-1]


def _with_variable(environment: list[dict[str, str]], name: str, value: str) -> list[dict[str, str]]:
    if any(variable.get("name") == name for variable in environment):
        return [{**v, "value": value} if v.get("name") == name else v for v in environment]
    return [*environment, {"name": name, "value": value}]


def _normal(value: Any) -> Any:
    """Without empty lists and nulls, and with environment and secrets in one order: ECS returns them in any."""
    if isinstance(value, Mapping):
        return {key: _normal(item) for key, item in value.items() if item not in (None, [], {})}
    if isinstance(value, list):
        items = [_normal(item) for item in value]
        named = all(isinstance(item, Mapping) and "name" in item for item in items)
        return sorted(items, key=lambda item: str(item["name"])) if named else items
    return value
