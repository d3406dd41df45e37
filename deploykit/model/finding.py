"""Findings: what is wrong, how sure we are, what shows it, what to type next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from deploykit.model.hint import Hint


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


def one_line(finding: Finding) -> str:
    """The finding where there is room for one line: ``summary: hint``, in which the hint's commands stay commands."""
    return Hint(finding.summary, ": ", finding.hint) if finding.hint else finding.summary


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those of ``findings`` that are errors, in their order."""
    return tuple(finding for finding in findings if finding.severity == "error")


def warnings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those of ``findings`` that are warnings, in their order."""
    return tuple(finding for finding in findings if finding.severity == "warning")
