"""The platform of each image: as the configuration says, else as the task definition that will run it says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploykit.config.schema import Configuration
from deploykit.edges.docker import same_platform
from deploykit.images.sources import built_services, image_owner
from deploykit.model.observed import Definition

DEFAULT_PLATFORM = "linux/amd64"
_ARCHITECTURES = {"X86_64": DEFAULT_PLATFORM, "ARM64": "linux/arm64"}


@dataclass(frozen=True)
class NeededImage:
    """One image as this environment needs it; ``differing`` names the users that run on another platform."""

    owner: str  # the service whose context it is made of
    users: tuple[str, ...]
    platform: str
    differing: tuple[str, ...] = ()


def needed_images(configuration: Configuration, services: Iterable[str], live: Mapping[str, str]) -> list[NeededImage]:
    """The images of ``services``. ``live``: the platform of each service's next task definition, where it is known."""
    wanted = list(services)
    found = []
    for owner, service in built_services(configuration, wanted).items():
        users = [user for user in wanted if image_owner(configuration, user) == owner]
        said = {user: live[user] for user in users if user in live}
        platform = service.platform or next(iter(said.values()), DEFAULT_PLATFORM)
        source = "deploykit.toml" if service.platform else "another service with the same image"
        differing = [
            f"{user}: its task definition runs {theirs}, and {source} says {platform}"
            for user, theirs in said.items()
            if not same_platform(platform, theirs)
        ]
        found.append(NeededImage(owner, tuple(users), platform, tuple(differing)))
    return found


def platform_of(definition: Definition) -> str | None:
    """The platform that tasks of a definition run on; None where the definition does not tell.

    Without ``cpuArchitecture`` it is X86_64 on Fargate, and whatever the instances are on EC2.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
    """
    content = definition.content
    runtime = content.get("runtimePlatform") or {}
    if runtime.get("operatingSystemFamily", "LINUX") != "LINUX":
        return None
    fargate = list(content.get("requiresCompatibilities") or ()) == ["FARGATE"]
    return _ARCHITECTURES.get(runtime.get("cpuArchitecture") or ("X86_64" if fargate else ""))
