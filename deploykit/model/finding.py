"""Findings: what is wrong, how sure we are, what shows it, what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing found; ``evidence`` is quoted, never paraphrased."""

    id: str
    severity: Literal["error", "warning"]
    confidence: Literal["high", "medium", "low"]
    subject: str
    summary: str
    evidence: tuple[str, ...] = ()
    hint: str = ""
    runbook: str = ""
