"""The way back for people, from the same object that --json prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploykit.model.hint import Hint, joined
from deploykit.report.style import Style


def lines_of(way_back: Mapping[str, Any] | None, style: Style) -> list[str]:
    """One line; where it is not ready for several reasons, each reason on a line of its own below."""
    if way_back is None:
        return []
    release = f" (release {way_back['release']})" if way_back["release"] else ""
    problems = way_back["problems"]
    if way_back["ready"]:
        unseen = (", though ", joined("; ", problems)) if problems else ()
        return [Hint(f"way back: {style.good('ready')}{release}", *unseen)]
    said = f"way back: {style.warn('not ready')}{release}, because"
    return [Hint(said, " ", *problems)] if len(problems) == 1 else [said, *(Hint("  ", text) for text in problems)]
