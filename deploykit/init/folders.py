"""Which folder of the repository an image is built from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploykit.init.naming import words
from deploykit.init.starter import FoundService

_ALIKE = (  # names of folders and services that often mean the same
    frozenset({"api", "backend", "server"}),
    frozenset({"web", "frontend", "site", "ui", "client", "www"}),
    frozenset({"worker", "workers", "jobs", "queue", "consumer"}),
)


@dataclass(frozen=True)
class ImageClues:
    """What may tell an image's folder: names, the likeliest first, and the port of its container."""

    names: tuple[str, ...]
    port: int | None


@dataclass(frozen=True)
class Place:
    """A folder, and why it was chosen."""

    context: str
    why: str


def places(wanted: Mapping[str, ImageClues], folders: Sequence[FoundService]) -> dict[str, Place]:
    """The folder of each image, by the image's key, where one was found.

    Each folder is chosen once: by the same name, a shared word, a word that means the same, or its port.
    """
    if len(folders) == 1:
        only = folders[0]
        where = "the repository itself" if only.context == "." else only.context
        return {key: Place(only.context, f"only {where} has a Dockerfile") for key in wanted}
    found: dict[str, Place] = {}
    left = list(folders)
    for match, why in _MATCHES:
        for key, image in wanted.items():
            fitting = [folder for folder in left if match(image, folder)]
            if key not in found and len(fitting) == 1:
                found[key] = Place(fitting[0].context, why)
                left.remove(fitting[0])
    return found


def _same_name(image: ImageClues, folder: FoundService) -> bool:
    return folder.key in image.names


def _shared_word(image: ImageClues, folder: FoundService) -> bool:
    return not {word for name in image.names for word in words(name)}.isdisjoint(words(folder.key))


def _same_meaning(image: ImageClues, folder: FoundService) -> bool:
    said = {word for name in image.names[:1] for word in words(name)}
    return any(said & alike and set(words(folder.key)) & alike for alike in _ALIKE)


def _same_port(image: ImageClues, folder: FoundService) -> bool:
    return image.port is not None and image.port == folder.port


_NEAREST = "the folder with a Dockerfile whose name is the most similar"
_MATCHES: tuple[tuple[Callable[[ImageClues, FoundService], bool], str], ...] = (
    (_same_name, "the folder of that name has a Dockerfile"),
    (_shared_word, _NEAREST),
    (_same_meaning, _NEAREST),
    (_same_port, "its Dockerfile exposes the port of the service"),
)
