"""What an image is made of: which files, from which commit, and whether all of it is committed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from deploykit.config.schema import Configuration, Service
from deploykit.edges.git import Repository
from deploykit.edges.git_export import export_commit
from deploykit.errors import FailedBefore, Refused
from deploykit.model.release import Commit

_LISTED = 10


def identify(
    repository: Repository,
    configuration: Configuration,
    services: Iterable[str],
    *,
    sha: str | None = None,
    allow_dirty: bool = False,
) -> Commit:
    """The commit to release: ``sha`` (the work tree is not looked at), or HEAD with nothing uncommitted on it.

    With ``allow_dirty``, uncommitted changes make a commit of their own: ``SHA-dirty-HASH``.
    Raises: FailedBefore (unknown commit), Refused (uncommitted changes).
    """
    if sha is not None:
        return repository.resolve(sha)
    head = repository.head()
    if not allow_dirty:
        refuse_uncommitted(repository, configuration, services)
        return head
    paths = source_paths(configuration, services)
    if not repository.uncommitted(paths):
        return head
    # the same files are another image in an environment that builds them otherwise
    ways = [
        (s.target, s.platform, sorted(s.build_args.items())) for s in built_services(configuration, services).values()
    ]
    text = f"{repository.work_tree_hash(paths)} {ways}"
    return replace(head, dirty=hashlib.sha256(text.encode()).hexdigest()[:12])


def refuse_uncommitted(repository: Repository, configuration: Configuration, services: Iterable[str]) -> None:
    """Raises: Refused, with the files, when a service's context, its Dockerfile or the configuration is uncommitted."""
    changed = repository.uncommitted(source_paths(configuration, services))
    if changed:
        rest = len(changed) - _LISTED
        listed = "".join(f"\n  {path}" for path in changed[:_LISTED]) + (f"\n  and {rest} more" if rest > 0 else "")
        raise Refused(
            f"not committed, so not what would be released:{listed}",
            "commit (`git add`, `git commit`) or put away (`git stash -u`); or release them as they are: --allow-dirty",
        )


def built_services(configuration: Configuration, services: Iterable[str]) -> dict[str, Service]:
    """The services among ``services`` that have an image of their own, and those whose images they run; by key."""
    owners = dict.fromkeys(image_owner(configuration, key) for key in services)
    return {key: configuration.services[key] for key in owners}


def image_owner(configuration: Configuration, service: str) -> str:
    """The service whose image ``service`` runs: itself, or the one its ``image`` leads to."""
    while (other := configuration.services[service].image) is not None:
        service = other
    return service


def context_path(configuration: Configuration, service: Service) -> Path:
    """The build context in the work tree, absolute."""
    return (configuration.root.resolve() / (service.context or ".")).resolve()


def dockerfile_path(configuration: Configuration, service: Service) -> Path:
    """The Dockerfile in the work tree, absolute; it may lie outside the context."""
    return Path(os.path.normpath(context_path(configuration, service) / service.dockerfile))


def source_paths(configuration: Configuration, services: Iterable[str]) -> list[Path]:
    """What must be committed: contexts, Dockerfiles with their own ignore files, and the configuration file."""
    built = built_services(configuration, services).values()
    paths = [context_path(configuration, service) for service in built]
    dockerfiles = [dockerfile_path(configuration, service) for service in built]
    paths += [*dockerfiles, *map(_own_ignore_file, dockerfiles)]
    return sorted({*paths, configuration.path.resolve()})


def source_of(repository: Repository, configuration: Configuration, service: Service, commit: Commit) -> Commit:
    """What the image of ``service`` is made of: ``commit``, without its uncommitted changes where none are in it."""
    context, dockerfile = context_path(configuration, service), dockerfile_path(configuration, service)
    if not commit.dirty or repository.uncommitted([context, dockerfile, _own_ignore_file(dockerfile)]):
        return commit
    known = all(repository.tree(commit.sha, repository.inside(path)) for path in (context, dockerfile))
    return replace(commit, dirty=None) if known else commit  # else git ignores them


def _own_ignore_file(dockerfile: Path) -> Path:
    return dockerfile.with_name(f"{dockerfile.name}.dockerignore")


def lay_out(
    repository: Repository, configuration: Configuration, services: Mapping[str, Service], commit: Commit, folder: Path
) -> dict[str, tuple[Path, Path]]:
    """The context and Dockerfile to build each service from, by key: exported into ``folder``, or the work tree itself
    where something of the service is uncommitted.

    Raises: FailedBefore (not in the commit; a submodule or Git LFS file not here), ConfigError (not in the repository).
    """
    places = {
        key: (context_path(configuration, service), dockerfile_path(configuration, service))
        for key, service in services.items()
    }
    commits = {key: source_of(repository, configuration, service, commit) for key, service in services.items()}
    committed = [places[key] for key, made_of in commits.items() if not made_of.dirty]
    if committed:
        wanted: set[str] = set()
        for context, dockerfile in committed:
            wanted |= {repository.inside(path) for path in (context, dockerfile, _own_ignore_file(dockerfile))}
        folder.mkdir(mode=0o755)
        export_commit(repository, commit.sha, sorted(wanted), folder)
    laid_out = {}
    for key, (context, dockerfile) in places.items():
        inside = (repository.inside(context), repository.inside(dockerfile))
        root = repository.top if commits[key].dirty else folder
        laid_out[key] = (root / inside[0], root / inside[1])
        _require(key, "context", laid_out[key][0].is_dir(), context, inside[0], commits[key])
        _require(key, "Dockerfile", laid_out[key][1].is_file(), dockerfile, inside[1], commits[key])
    return laid_out


def _require(key: str, what: str, there: bool, on_disk: Path, inside: str, commit: Commit) -> None:
    if there:
        return
    where = "the work tree" if commit.dirty else f"commit {commit.short}"
    if not commit.dirty and on_disk.exists():
        hint = f"it is on disk and not committed: `git add {on_disk}` and `git commit`"
    else:
        hint = f"mend `{what.lower()}` of [services.{key}] in deploykit.toml"
    raise FailedBefore(f"{key}: the {what} {inside or '.'} does not exist in {where}", hint)
