"""Which container of a service runs an image of its own, and what else its task definition tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploykit.edges.aws.ecr_names import Reference, parse_reference
from deploykit.init.naming import words
from deploykit.init.seen import SeenCluster, SeenService
from deploykit.model.log_place import log_place

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html (the prefixes it suggests)
_COPIES = ("docker-hub", "ecr-public", "quay", "kubernetes", "github", "gitlab", "chainguard")
_COMMIT_NAME = re.compile(r"(?!AWS_|ECS_)(\w+_)?(SHA1?|COMMIT(_?(SHA1?|HASH|ID))?|GIT_?(HASH|REV(ISION)?)|REVISION)")
_RELEASE_NAME = re.compile(r"(?!AWS_|ECS_)(\w+_)?(VERSION|RELEASE|BUILD(_ID)?|IMAGE_TAG)")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True)
class RunningContainer:
    """The container that a release would give a new image, and those beside it."""

    container: str | None  # None where the task definition could not be read
    spec: Mapping[str, Any]
    reference: Reference | None  # None where its image is not from ECR
    ours: bool  # its image is from this account's ECR in this region
    doubt: str  # why it could be another container; empty where that is certain
    sidecars: tuple[str, ...]  # "NAME (IMAGE)"

    @property
    def image(self) -> str:
        return str(self.spec.get("image", ""))

    @property
    def log_group(self) -> str | None:
        place = log_place(self.spec, "")
        return place.group if place else None

    @property
    def variables(self) -> dict[str, str]:
        return {str(v.get("name")): str(v.get("value", "")) for v in self.spec.get("environment") or ()}


def running(service: SeenService, seen: SeenCluster) -> RunningContainer:
    """The container whose image is from this account's ECR.

    Of several, the one that gets the requests; then the one with the service's name; then the first essential one.
    """
    balanced = {group.container for group in service.state.target_groups}
    if not service.containers:
        return RunningContainer(next(iter(sorted(balanced)), None), {}, None, False, "", ())
    named = {*words(service.state.name), service.state.name}
    order = sorted(
        service.containers,
        key=lambda spec: (
            _distance(_reference(spec, seen), seen),
            spec.get("name") not in balanced,
            not named.intersection({*words(str(spec.get("name"))), str(spec.get("name"))}),
            not spec.get("essential", True),
        ),
    )
    chosen, *others = order
    reference = _reference(chosen, seen)
    distance = _distance(reference, seen)
    alike = [str(spec.get("name")) for spec in others if _distance(_reference(spec, seen), seen) == distance]
    doubt = ""
    if alike:
        kind = "an image of this account's ECR too" if distance == 0 else "an image that is not of this account's ECR"
        doubt = f"{', '.join(alike)} {'run' if len(alike) > 1 else 'runs'} {kind}"
    return RunningContainer(
        container=str(chosen.get("name")),
        spec=chosen,
        reference=reference,
        ours=distance == 0,
        doubt=doubt,
        sidecars=tuple(
            f"{spec.get('name')} ({str(spec.get('image', '')).partition('@')[0]})"  # without a digest
            for spec in service.containers
            if spec is not chosen
        ),
    )


def release_variable(found: RunningContainer) -> tuple[str, str] | None:
    """The variable that seems to hold the commit, and why."""
    tag = found.reference.tag if found.reference else None
    looks: dict[str, str] = {}
    for name, value in found.variables.items():
        plain = name.upper()
        if _COMMIT_NAME.fullmatch(plain):
            looks[name] = "its name says that it is a commit"
        elif _RELEASE_NAME.fullmatch(plain) and (_COMMIT.fullmatch(value) or (tag and value == tag)):
            looks[name] = (
                "it holds what looks like a commit" if _COMMIT.fullmatch(value) else "it holds the image's tag"
            )
    best = sorted(looks, key=lambda name: not _COMMIT.fullmatch(found.variables[name]))
    return (best[0], looks[best[0]]) if best else None


def local_secrets(found: RunningContainer) -> dict[str, str]:
    """Variable to Secrets Manager name and JSON key (``NAME:KEY``), for the container's secrets from there.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
    """
    named: dict[str, str] = {}
    for secret in found.spec.get("secrets") or ():
        parts = str(secret.get("valueFrom", "")).split(":")
        if len(parts) >= 7 and parts[2] == "secretsmanager":
            name = re.sub(r"-[A-Za-z0-9]{6}$", "", parts[6])  # the six that Secrets Manager adds to every ARN
            key = parts[7] if len(parts) > 7 else ""
            named[str(secret["name"])] = f"{name}:{key}" if key else name
    return named


def _reference(spec: Mapping[str, Any], seen: SeenCluster) -> Reference | None:
    return parse_reference(str(spec.get("image", "")), seen.registry)


def _distance(reference: Reference | None, seen: SeenCluster) -> int:
    """0: this account's ECR in this region; then its other regions, copies of public images, other accounts, others."""
    if reference is None:
        return 4
    if reference.account not in (None, seen.account):
        return 3
    if reference.repository.split("/")[0] in _COPIES:
        return 2
    return 0 if reference.region in (None, seen.region) else 1
