"""Content keys: what an image is made of, so that the same content is never built twice. Pure, but asks git."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from deploykit.config.schema import Configuration, Service
from deploykit.edges.git import Repository
from deploykit.errors import FailedBefore
from deploykit.images.sources import made_of, require, source_of
from deploykit.model.release import Commit

_PREFIX = "content-"
_DIGITS = 16  # of each part's SHA-256: the whole tag stays below ECR's 128 characters


@dataclass(frozen=True)
class ContentKey:
    """One hash for each part of what an image is made of; as a tag it is kept with the image in ECR.

    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html (the form of tags)
    """

    context: str  # the context's git tree
    recipe: str  # Dockerfile and its own ignore file
    target: str
    platform: str
    arguments: str  # build arguments

    @property
    def tag(self) -> str:
        return _PREFIX + "-".join(getattr(self, part.name) for part in fields(self))

    @classmethod
    def of_tag(cls, tag: str) -> ContentKey | None:
        """The key that a tag stands for, that of a rebuild (``…-r2``) included; None for any other tag."""
        parts = tag.removeprefix(_PREFIX).split("-")[: len(fields(cls))]
        if not tag.startswith(_PREFIX) or len(parts) != len(fields(cls)):
            return None
        return cls(*parts)

    def differs_from(self, other: ContentKey) -> list[str]:
        """What makes this another image than ``other``, in words."""
        words = {
            "context": "the files of its context",
            "recipe": "its Dockerfile or ignore file",
            "target": "the build stage (`target`)",
            "platform": "the platform",
            "arguments": "build arguments (`build_args`)",
        }
        return [words[part.name] for part in fields(self) if getattr(self, part.name) != getattr(other, part.name)]


def content_key(
    repository: Repository, configuration: Configuration, key: str, commit: Commit, platform: str
) -> ContentKey | None:
    """What the image of service ``key`` is made of in ``commit``; None where some of it is uncommitted.

    Raises: FailedBefore where context or Dockerfile are not in the commit.
    """
    service = configuration.services[key]
    committed = source_of(repository, configuration, service, commit)
    if committed.dirty:
        return None
    paths = made_of(configuration, service)
    tree, recipe, ignore_file = (repository.tree(commit.sha, repository.inside(path)) for path in paths)
    require(key, "context", tree is not None, paths[0], repository, committed)
    require(key, "Dockerfile", recipe is not None, paths[1], repository, committed)
    return ContentKey(
        context=_hash([tree or ""]),
        recipe=_hash([recipe or "", ignore_file or ""]),
        target=_hash([service.target or ""]),
        platform=_hash([platform]),
        arguments=_hash(part for name in sorted(service.build_args) for part in (name, service.build_args[name])),
    )


_SECRET_WORDS = ("secret", "token", "password", "passwd", "credential", "private_key", "api_key", "apikey")


def refuse_secret_arguments(services: Mapping[str, Service]) -> None:
    """Raises: FailedBefore for build arguments that look like secrets: they stay readable in the image's history.

    https://docs.docker.com/build/building/secrets/
    """
    found = [
        (key, name)
        for key, service in services.items()
        for name in service.build_args
        if any(word in name.lower() for word in _SECRET_WORDS)
    ]
    if found:
        key, name = found[0]
        listed = ", ".join(f"{key}: {name}" for key, name in found)
        raise FailedBefore(
            f"build arguments that look like secrets stay readable in the image: {listed}",
            f'under [services.{key}] use `build_secrets = {{ {name.lower()} = "{name.upper()}" }}` and, in the '
            f"Dockerfile, `RUN --mount=type=secret,id={name.lower()}`",
        )


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
