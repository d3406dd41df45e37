"""What an image is built for: the configuration's word, else that of the task definition that will run it. Pure."""

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
class Demand:
    """One image as this environment needs it; ``differing`` names the users that run on something else."""

    owner: str  # the service whose context it is made of
    users: tuple[str, ...]
    platform: str
    differing: tuple[str, ...] = ()


def demands(configuration: Configuration, services: Iterable[str], live: Mapping[str, str]) -> list[Demand]:
    """The images of ``services``. ``live``: by service, what its next task definition runs on, where that is known."""
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
        found.append(Demand(owner, tuple(users), platform, tuple(differing)))
    return found


def platform_of(definition: Definition) -> str | None:
    """What tasks of a definition run on, where it can be told.

    On Fargate it is X86_64 unless said otherwise; on EC2 it is then whatever the instances are.
    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
    """
    content = definition.content
    runtime = content.get("runtimePlatform") or {}
    if runtime.get("operatingSystemFamily", "LINUX") != "LINUX":
        return None
    fargate = list(content.get("requiresCompatibilities") or ()) == ["FARGATE"]
    return _ARCHITECTURES.get(runtime.get("cpuArchitecture") or ("X86_64" if fargate else ""))
