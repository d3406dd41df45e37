"""The image that the engine runs for a container definition: the registry resolves its tag, as on Fargate."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ministack.services import ecr

from deploykit.sandbox.server.ecs import wording
from deploykit.sandbox.server.ecs.containers import CannotStart
from deploykit.sandbox.settings import Settings


@dataclass(frozen=True)
class Resolved:
    """The reference to pull, and the manifest digest that ECS reports (empty for an image of no registry)."""

    reference: str
    digest: str = ""
    ours: bool = False


_REFERENCE = re.compile(r"^(?P<name>.+?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$")


def resolve(image: str, settings: Settings) -> Resolved:
    """Find ``image`` in the sandbox's registry if its name has that host, or ECR's for this account.

    Raises CannotStart when the registry has no such image. Fargate resolves a tag to a digest before a task starts:
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
    """
    parts = _REFERENCE.match(image)
    name, tag, digest = parts.group("name", "tag", "digest") if parts else (image, "", "")
    host, _, repository = name.partition("/")
    own = f"{settings.account}.dkr.ecr.{settings.region}.amazonaws.com"
    if host not in (settings.registry, f"localhost:{settings.gateway_port}", own):
        return Resolved(image, digest or "")
    wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    found = ecr._find_image(repository, wanted)
    if not found:
        raise CannotStart(wording.NOT_FOUND.format(image=image))
    return Resolved(f"{settings.registry}/{repository}@{found['imageDigest']}", found["imageDigest"], ours=True)
