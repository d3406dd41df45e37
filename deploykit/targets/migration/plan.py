"""Which migrations a release runs, and which it spares the database, from the ledger and git's hashes alone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from deploykit.config.schema import Configuration
from deploykit.config.sequence import sequence_of
from deploykit.edges.git import Source
from deploykit.errors import FailedBefore
from deploykit.ledger.read import Ledger
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.migration import MigrationRecord, PlannedMigration
from deploykit.model.plan import Plan

_SHOWN = 3  # paths named in a reason


def migrations_of(
    configuration: Configuration, source: Source, plan: Plan, ledger: Ledger, *, force: bool = False
) -> list[PlannedMigration]:
    """What ``plan_migrations`` says, with the hashes of ``source``. Raises: FailedBefore (a path not in the commit)."""
    trees = migration_trees(configuration, source, [key for key in plan.changes if key in configuration.services])
    entries = None if ledger.store is None else ledger.entries
    return plan_migrations(configuration, plan, trees, entries, force=force)


def migration_trees(configuration: Configuration, source: Source, keys: Collection[str]) -> dict[str, str]:
    """One hash for what the ``paths`` of each service's migration hold in the commit; services without are left out.

    Git's own hashes of trees and files are all it needs, so a shallow clone will do.
    Raises: FailedBefore for a path that the commit does not have: it would never change, and the migration never run.
    """
    repository, commit = source.repository, source.commit
    found: dict[str, str] = {}
    for key in keys:
        migrate = configuration.services[key].migrate
        if migrate is None or not migrate.paths:
            continue
        places = {path: configuration.root / path for path in migrate.paths}
        hashes = {path: repository.tree(commit.sha, repository.inside(place)) for path, place in places.items()}
        missing = [
            path for path, tree in hashes.items() if tree is None and not (commit.dirty and places[path].exists())
        ]
        if missing:
            raise FailedBefore(
                f"{key}: {', '.join(missing)} of `migrate.paths` does not exist in commit {commit.short}",
                f"commit it, or fix `migrate.paths` of [services.{key}]: paths are relative to deploykit.toml",
            )
        if commit.dirty and (None in hashes.values() or repository.uncommitted(places.values())):
            found[key] = f"dirty-{repository.work_tree_hash(places.values())}"
        else:
            text = "\n".join(f"{tree} {path}" for path, tree in sorted(hashes.items()))
            found[key] = hashlib.sha256(text.encode()).hexdigest()[:40]
    return found


def plan_migrations(
    configuration: Configuration,
    plan: Plan,
    trees: Mapping[str, str],
    entries: Sequence[LedgerEntry] | None,
    *,
    force: bool = False,
) -> list[PlannedMigration]:
    """Every service with a migration, in the order in which they would run, each to run or skipped, and why. Pure.

    ``trees``: what ``migration_trees`` found. ``entries``: the ledger's, newest first; None where there is no ledger,
    and nothing is remembered. ``force``: run what would be skipped because nothing changed.
    """
    keys = [key for key, service in configuration.services.items() if service.migrate and key in plan.observed]
    return [_planned(configuration, plan, key, trees.get(key), entries, force) for key in in_order(configuration, keys)]


def remembered(entry: LedgerEntry, planned: Sequence[PlannedMigration]) -> LedgerEntry:
    """``entry`` with what earlier releases did: the newest entry has to tell it alone."""
    known = {item.service: replace(item.known, outcome="skipped") for item in planned if item.known}
    return replace(entry, migrations={**known, **entry.migrations})


def left_out(planned: Sequence[PlannedMigration]) -> list[PlannedMigration]:
    """The same for a rollout by itself, which runs none."""
    words = Hint("`rollout` runs no migration, ", command("migrate"), " does")
    return [item if item.action == "skip" else replace(item, action="skip", reason=words) for item in planned]


def in_order(configuration: Configuration, keys: Sequence[str]) -> list[str]:
    """``keys`` with every service behind those that it depends on, else as they stand."""
    before = sequence_of(configuration, keys)
    done: list[str] = []
    while len(done) < len(keys):
        done.append(next(key for key in keys if key not in done and set(before[key]) <= set(done)))
    return done


def last_good(entries: Sequence[LedgerEntry], key: str) -> MigrationRecord | None:
    """The newest migration of service ``key`` that is known to have succeeded here."""
    return next((r for entry in entries if (r := entry.migrations.get(key)) is not None and r.good), None)


def unseen_end(entries: Sequence[LedgerEntry], key: str) -> MigrationRecord | None:
    """The newest attempt at service ``key``'s migration, where nobody wrote down how it ended."""
    newest = next((r for e in entries if (r := e.migrations.get(key)) is not None and r.outcome != "skipped"), None)
    return newest if newest is not None and newest.outcome is None else None


def _planned(
    configuration: Configuration,
    plan: Plan,
    key: str,
    tree: str | None,
    entries: Sequence[LedgerEntry] | None,
    force: bool,
) -> PlannedMigration:
    migrate, change = configuration.services[key].migrate, plan.changes.get(key)
    known, pending = last_good(entries or (), key), unseen_end(entries or (), key)
    if change is None:
        return PlannedMigration(key, "skip", "the service does not change", known=known)
    image = change.image or ""
    tree = tree or f"image {change.digest or 'still to be built'}"
    paths = _named(migrate.paths if migrate else ())
    if pending is not None and (pending.tree, pending.image) == (tree, image) and not (known and known.tree == tree):
        which = f"task {pending.task.rpartition('/')[2]}" if pending.task else "a task"
        reason = f"release {pending.release} began it ({which}) and did not see its end"
        return PlannedMigration(key, "run", reason, tree, known, pending)
    if entries is None:
        reason = "no `state` is configured, so no migration is remembered"
    elif known is None:
        reason = "none is known to have succeeded here"
    elif known.tree == tree and force:
        reason = "--force"
    elif known.tree == tree:
        what = f"{paths} did not change" if paths else "it ran in this image"
        return PlannedMigration(key, "skip", f"{what} since the migration of release {known.release}", tree, known)
    elif paths:
        reason = f"{paths} changed since the migration of release {known.release}"
    else:
        reason = "it runs with every new image"
    return PlannedMigration(key, "run", reason, tree, known)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
