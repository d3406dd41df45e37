"""``deploykit init --from-cluster``: read, guess, and write a file that was not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploykit.edges.aws.session import Aws
from deploykit.init import starter
from deploykit.init.guess import Draft, draft
from deploykit.init.read import read
from deploykit.init.seen import SeenCluster
from deploykit.model.progress import Progress


@dataclass(frozen=True)
class Adoption:
    """What was written, out of what, and the commands that make the state bucket it speaks of."""

    file: Path
    draft: Draft
    seen: SeenCluster
    commands: tuple[str, ...]


def adopt_cluster(
    aws: Aws,
    account: str,
    cluster: str,
    root: Path,
    file: Path,
    progress: Progress,
    *,
    environment: str | None = None,
    registry: str | None = None,
) -> Adoption:
    """Write the configuration of ``cluster`` for the repository in ``root`` to ``file``, which is not there yet.

    ``account`` is that of the credentials; ``environment`` the name to give it, where that is known; ``registry``
    stands in for ECR's own host name. Only reads AWS; the permissions stand in ``read``'s module.
    Raises: UsageError (the file exists, or cannot be written), and what ``read`` and ``draft`` raise.
    """
    seen = read(aws, account, cluster, registry)
    for text in seen.unseen:
        progress.warn(text)
    project = starter.project_name(root)
    bucket = f"{project}-deploykit"
    made = draft(seen, project, starter.dockerfile_folders(root, project), bucket=bucket, environment=environment)
    starter.write_new(file, made.text)
    return Adoption(file, made, seen, starter.bucket_commands(bucket, seen.region))
