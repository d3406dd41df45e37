"""Findings and the way back for people: what is wrong, what shows it, what to type next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, joined
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


def of_way_back(way_back: Mapping[str, Any] | None, style: Style) -> list[str]:
    """One line, from the object that --json prints; several reasons why it is not ready follow on a line each."""
    if way_back is None:
        return []
    release = f" (release {way_back['release']})" if way_back["release"] else ""
    problems = way_back["problems"]
    if way_back["ready"]:
        unseen = (", though ", joined("; ", problems)) if problems else ()
        return [Hint(f"way back: {style.good('ready')}{release}", *unseen)]
    said = f"way back: {style.warn('not ready')}{release}, because"
    return [Hint(said, " ", *problems)] if len(problems) == 1 else [said, *(Hint("  ", text) for text in problems)]
