"""``deploykit init``: write a first configuration, from the folders of the repository or from a cluster that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploykit.errors import UsageError
from deploykit.init.starter import (
    FoundService,
    bucket_commands,
    dockerfile_folders,
    project_name,
    starter_text,
    write_new,
)
from deploykit.model.progress import Progress

if TYPE_CHECKING:  # without a cluster nothing of AWS is loaded
    from deploykit.edges.world import World
    from deploykit.init.services import LeftOut


@dataclass(frozen=True)
class Written:
    """The file that was written, and what people should know about it."""

    file: Path
    services: tuple[str, ...]
    commands: tuple[str, ...]  # they make the state bucket that the file names
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    guesses: int = 0  # comments that begin with "guessed:"
    environment: str = ""  # empty where nothing was read from a cluster


def init(root: Path, file: Path, progress: Progress) -> Written:
    """Write the annotated example, adapted to the repository in ``root``, to ``file``.

    Raises: UsageError (the file exists or cannot be written).
    """
    project = project_name(root)
    found = dockerfile_folders(root, project)
    services = found or [FoundService(project, ".", None)]
    write_new(file, starter_text(project, services))
    doubt = (
        f"no Dockerfile in {root} or two folders deep: service {project} stands for one that you have yet to write; "
        "set its `context`, or add a Dockerfile"
    )
    if not found:
        progress.warn(doubt)
    keys = tuple(service.key for service in services)
    return Written(file, keys, bucket_commands(f"{project}-deploykit"), warnings=() if found else (doubt,))


def init_from_cluster(
    cluster: str, account: str, environment: str | None, root: Path, file: Path, world: World
) -> Written:
    """Write what ``cluster`` runs, for the repository in ``root``, to ``file``. AWS is only read (see `init.read`).

    ``account``: of the credentials; ``environment``: the name to give it, guessed where None.
    Raises: UsageError (the file exists or cannot be written), and what `read` and `draft` raise.
    """
    from deploykit.init.guess import draft
    from deploykit.init.read import read

    seen = read(world.aws, account, cluster, world.environ.get("DEPLOYKIT_REGISTRY") or None)
    for text in seen.unseen:
        world.progress.warn(text)
    project = project_name(root)
    bucket = f"{project}-deploykit"
    made = draft(seen, project, dockerfile_folders(root, project), bucket=bucket, environment=environment)
    write_new(file, made.text)
    commands = bucket_commands(bucket, seen.region)
    return Written(file, made.services, commands, made.left_out, seen.unseen, made.guesses, made.environment)


def region_of(cluster: str, given: str | None, environ: Mapping[str, str]) -> str:
    """Where to read ``cluster``: the region ``given``, else its ARN's, else the one that AWS's tools would use.

    Raises: UsageError where there is none; OutOfReach (AWS_PROFILE names no profile).
    """
    from deploykit.edges.aws.session import configured_region

    arn = cluster.split(":")
    found = (
        given or (arn[3] if len(arn) == 6 else None) or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    )
    if region := found or configured_region():
        return region
    raise UsageError("no AWS region is set", "add --region NAME, such as --region us-east-1")
