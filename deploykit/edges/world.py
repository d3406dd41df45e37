"""The world that a run acts in: everything that a command hands down, and a test may own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploykit.edges.aws.session import Aws
from deploykit.edges.clock import Clock
from deploykit.model.progress import Progress


@dataclass(frozen=True)
class World:
    """Time, AWS, what people see, and the environment's variables: the real ones, or a test's."""

    clock: Clock
    aws: Aws
    progress: Progress
    environ: Mapping[str, str]
