"""Findings for people: what is wrong, what shows it, what to type next."""

from __future__ import annotations

from collections.abc import Iterable

from deploykit.model.finding import Finding
from deploykit.model.hint import Hint
from deploykit.report.style import Style


def lines_of(findings: Iterable[Finding], style: Style) -> list[str]:
    """The lines of each finding; evidence is quoted as it came, behind a bar."""
    lines: list[str] = []
    for finding in findings:
        paint = style.bad if finding.severity == "error" else style.warn
        sure = "" if finding.confidence == "high" else f" ({finding.confidence} confidence)"
        named = not finding.subject or finding.summary.startswith(f"{finding.subject}: ")
        about = "" if named else f"{finding.subject}: "
        lines += ["", f"{paint(finding.severity)} {style.bold(about + finding.summary)}{sure}"]
        for text in finding.evidence:
            lines += [style.dim(f"  | {line}") for line in text.splitlines() or [""]]
        if finding.hint:
            lines.append(Hint("  → ", finding.hint))
        if finding.runbook:
            lines.append(style.dim(f"  runbook: {finding.runbook}"))
    return lines
