"""Run a command line in this process, as the tests of the command line do."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploykit.__main__ import main
from deploykit.edges.clock import Clock


@dataclass(frozen=True)
class Ran:
    """How one command line ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout; nothing else may stand there."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


def run(*argv: str, environ: Mapping[str, str] | None = None, clock: Clock | None = None) -> Ran:
    """Run ``deploykit ARGV``; ``environ`` is what deploykit reads (nothing unless given)."""
    out, err = io.StringIO(), io.StringIO()
    code = main(argv, clock=clock, environ=environ or {}, stdout=out, stderr=err)
    return Ran(int(code), out.getvalue(), err.getvalue())
