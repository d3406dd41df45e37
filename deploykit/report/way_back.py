"""Is there a release to go back to: the same words at the end of a run, in `status` and in `plan`."""

from __future__ import annotations

from deploykit.model.report import WayBack
from deploykit.report.style import Style


def lines_of(back: WayBack | None, style: Style, indent: str = "") -> list[str]:
    """One line; several problems have one each. None: nothing is known of it, so nothing is said."""
    if back is None:
        return []
    release = f" (release {back.release})" if back.release else ""
    if back.ready:
        unseen = f", though {'; '.join(back.problems)}" if back.problems else ""
        return [f"{indent}way back: {style.good('ready')}{release}{unseen}"]
    said = f"{indent}way back: {style.warn('not ready')}{release}, because"
    if len(back.problems) == 1:
        return [f"{said} {back.problems[0]}"]
    return [said, *(f"{indent}  {problem}" for problem in back.problems)]
