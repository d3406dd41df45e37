"""What a run finds on its way that no target or judge knows of."""

from __future__ import annotations

from collections.abc import Sequence

from deploykit.errors import DeploykitError
from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, command


def nothing_runs(key: str) -> Finding:
    return Finding(
        "nothing-runs",
        "warning",
        "high",
        key,
        f"{key}: its desired count is 0, so its rollout proves nothing",
        hint="set a desired count of at least 1, then deploy again",
    )


def held_by_migration(services: Sequence[str]) -> Finding:
    return Finding(
        "undo-held-by-migration",
        "warning",
        "high",
        "release",
        f"not undone by itself: the release carried a migration of {', '.join(services)}, "
        'and on_rollback = "stop" forbids it',
        hint=Hint(
            "mend it and deploy again; if the database fits the release before: ", command("rollback", "--to", "SHA")
        ),
    )


def not_invalidated(error: DeploykitError) -> Finding:
    return Finding("not-invalidated", "error", "high", "cdn", error.message, hint=error.hint)


def not_put_back(error: DeploykitError, service: str | None = None) -> Finding:
    said = f"service {service} could not be put back: {error.message}" if service else error.message
    return Finding("not-put-back", "error", "high", service or "release", said, hint=error.hint)
