"""What ``on_rollback = "stop"`` forbids: undoing a release by itself, and going back across it unnamed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from deploykit.config.schema import Configuration
from deploykit.errors import Refused
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import short, typed


def carried(entry: LedgerEntry) -> list[str]:
    """The services whose migration this very release began, however it ended."""
    return [key for key, record in entry.migrations.items() if record.ran and record.release == entry.id]


def stopping(configuration: Configuration, keys: Collection[str] | None = None) -> list[str]:
    """The services (of ``keys``; None: of all) whose migrations do not survive a rollback by themselves."""
    return [
        key
        for key, service in configuration.services.items()
        if (keys is None or key in keys) and service.migrate and service.migrate.on_rollback == "stop"
    ]


def crossed(
    configuration: Configuration,
    entries: Sequence[LedgerEntry],
    target: str,
    running: str | None,
    services: Collection[str] = (),
) -> list[tuple[str, str]]:
    """(release, service) of each such migration that lies between ``target`` and ``running``, newest first.

    ``running`` None: what runs is no release as a whole, so everything after ``target`` lies between. ``services``:
    of these only (none: all).
    """
    stops = stopping(configuration, services or None)
    return [
        (entry.id, key)
        for entry in entries
        if target < entry.id and (running is None or entry.id <= running)
        for key in carried(entry)
        if key in stops
    ]


def refuse_to_cross(
    configuration: Configuration,
    entries: Sequence[LedgerEntry],
    target: LedgerEntry,
    running: str | None,
    services: Collection[str] = (),
    *,
    told_by_ledger: bool,
) -> None:
    """Raises: Refused where a rollback that named no release would leave code that the database may not fit.

    ``told_by_ledger`` False: ``entries`` come from tags, which know nothing of migrations, so it cannot be told.
    """
    stops = stopping(configuration, services or None)
    if not stops:
        return
    sha = target.sha or ""
    there = command("rollback", "--to", typed(sha))
    hint = Hint(f"see that the database fits {short(sha)}, then ", there, " goes there")
    if not told_by_ledger:
        raise Refused(
            f"the ledger cannot rule out a migration of {', '.join(stops)} in between, and "
            'on_rollback = "stop" requires naming the release',
            hint,
        )
    found = crossed(configuration, entries, target.id, running, services)
    if found:
        said = ", ".join(f"{key} of release {release}" for release, key in found)
        raise Refused(
            f"going back to release {target.id} crosses the migration of {said}, and "
            'on_rollback = "stop" forbids that unnamed',
            hint,
        )
