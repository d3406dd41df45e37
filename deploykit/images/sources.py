"""What an image is made of: which files, from which commit, and whether all of it is committed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from deploykit.config.schema import Configuration, Service
from deploykit.edges.aws import ecr_names
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
    """The commit to release: ``sha`` (whatever is in the work tree), or HEAD with nothing uncommitted on top.

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
    # the same files built in another way, as another environment may ask for, are another image
    built = built_services(configuration, services).values()
    ways = [(each.target, each.platform, sorted(each.build_args.items())) for each in built]
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
            "commit (`git add`, `git commit`) or stash (`git stash -u`), or release them as they are: --allow-dirty",
        )


def built_services(configuration: Configuration, services: Iterable[str]) -> dict[str, Service]:
    """By key, the services whose images ``services`` run: themselves, or those that their ``image`` leads to."""
    owners = dict.fromkeys(image_owner(configuration, key) for key in services)
    return {key: configuration.services[key] for key in owners}


def image_owner(configuration: Configuration, service: str) -> str:
    """The service whose image ``service`` runs: itself, or the one its ``image`` leads to."""
    while (other := configuration.services[service].image) is not None:
        service = other
    return service


def repository_uri(configuration: Configuration, repository: str) -> str:
    """Where the images of ``repository`` are, without a tag."""
    return ecr_names.image_uri(configuration.account, configuration.region, repository, configuration.registry)


def made_of(configuration: Configuration, service: Service) -> tuple[Path, Path, Path]:
    """The build context, the Dockerfile (perhaps outside it) and its own ignore file: absolute, in the work tree."""
    context = (configuration.root.resolve() / (service.context or ".")).resolve()
    dockerfile = Path(os.path.normpath(context / service.dockerfile))
    return context, dockerfile, own_ignore_file(dockerfile)


def own_ignore_file(dockerfile: Path) -> Path:
    """The ignore file that counts for this Dockerfile alone, instead of the context's ``.dockerignore``."""
    return dockerfile.with_name(f"{dockerfile.name}.dockerignore")


def source_paths(configuration: Configuration, services: Iterable[str]) -> list[Path]:
    """What must be committed: contexts, Dockerfiles, their own ignore files, and the configuration file."""
    built = built_services(configuration, services).values()
    return sorted({configuration.path.resolve(), *(path for each in built for path in made_of(configuration, each))})


def source_of(repository: Repository, configuration: Configuration, service: Service, commit: Commit) -> Commit:
    """What the image of ``service`` is made of: ``commit``, without its uncommitted changes where none are in it."""
    paths = made_of(configuration, service)
    if not commit.dirty or repository.uncommitted(paths):
        return commit
    known = all(repository.tree(commit.sha, repository.inside(path)) for path in paths[:2])
    return replace(commit, dirty=None) if known else commit  # else git ignores context or Dockerfile


def lay_out(
    repository: Repository, configuration: Configuration, services: Mapping[str, Service], commit: Commit, folder: Path
) -> dict[str, tuple[Path, Path]]:
    """The context and Dockerfile to build each service from, by key: exported into ``folder``, or the work tree itself
    where something of the service is uncommitted.

    Raises: FailedBefore (not in the commit; a submodule or Git LFS file not here), ConfigError (not in the repository).
    """
    places = {key: made_of(configuration, service) for key, service in services.items()}
    commits = {key: source_of(repository, configuration, service, commit) for key, service in services.items()}
    committed = [path for key, paths in places.items() if not commits[key].dirty for path in paths]
    if committed:
        folder.mkdir(mode=0o755)
        export_commit(repository, commit.sha, sorted({repository.inside(path) for path in committed}), folder)
    laid_out = {}
    for key, (context, dockerfile, _) in places.items():
        root = repository.top if commits[key].dirty else folder
        built = (root / repository.inside(context), root / repository.inside(dockerfile))
        require(key, "context", built[0].is_dir(), context, repository, commits[key])
        require(key, "Dockerfile", built[1].is_file(), dockerfile, repository, commits[key])
        laid_out[key] = built
    return laid_out


def require(key: str, what: str, found: bool, path: Path, repository: Repository, commit: Commit) -> None:
    """Raises: FailedBefore unless ``what`` of service ``key``, at ``path`` in the work tree, is in ``commit``."""
    if found:
        return
    where = "the work tree" if commit.dirty else f"commit {commit.short}"
    hint = f"fix `{what.lower()}` of [services.{key}] in deploykit.toml"
    if not commit.dirty and path.exists():
        hint = f"it is on disk and not committed: `git add {path}` and `git commit`"
    raise FailedBefore(f"{key}: the {what} {repository.inside(path) or '.'} does not exist in {where}", hint)
