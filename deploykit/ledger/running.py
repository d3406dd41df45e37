"""Which release runs, and what runs that was not released: both told by revisions. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService, split_revision
from deploykit.model.release import Outcome, Verdict
from deploykit.model.status import Drift


@dataclass(frozen=True)
class LiveRevision:
    """The revision that one service is set to run (its ARN), and the release that it is tagged with."""

    task_definition: str
    release: str | None = None


@dataclass(frozen=True)
class RunningRelease:
    """The release that runs. ``release`` None: the services run no single release.

    ``entry``: that release's own entry (None where it is older than the entries that were read). ``set_by``: the entry
    of the run that released it: the same, or a rollback's.
    """

    release: str | None = None
    entry: LedgerEntry | None = None
    set_by: LedgerEntry | None = None


@dataclass(frozen=True)
class Position:
    """Where one service's revision is among the releases.

    ``release``: the newest one that has the revision; where ``exact`` is False none has it, and this is the last one
    before it. ``until``: the newest release that is not newer than the revision (None: unknown).
    """

    release: str | None
    exact: bool
    until: str | None


class Revisions:
    """Which revisions are the same: a rollback registers a deregistered one again, under another number."""

    def __init__(self, entries: Sequence[LedgerEntry]) -> None:
        self._original: dict[str, str] = {}
        by_id = {entry.id: entry for entry in entries}
        for entry in entries:
            target = by_id.get(entry.target or "") if entry.kind == "rollback" else None
            for key, service in entry.services.items() if target else ():
                before = target.services.get(key) if target else None
                if service.changed and before and service.task_definition != before.task_definition:
                    self._original.setdefault(service.task_definition, before.task_definition)

    def original(self, arn: str) -> str:
        """The first of all revisions that are the same as ``arn``."""
        seen = {arn}
        while (following := self._original.get(arn)) and following not in seen:
            seen.add(following)
            arn = following
        return arn

    def same(self, one: str, other: str) -> bool:
        return self.original(one) == self.original(other)

    def newest(self, arn: str) -> str:
        """The last registered of all revisions that are the same as ``arn``: it is the most likely to be active."""
        return max(
            [arn, *(copy for copy in self._original if self.same(copy, arn))], key=lambda copy: split_revision(copy)[1]
        )


def live_of(observed: Mapping[str, ObservedService]) -> dict[str, LiveRevision]:
    """What ``observed`` services are set to run."""
    return {key: LiveRevision(service.definition.arn, service.definition.release) for key, service in observed.items()}


def took_effect(entry: LedgerEntry) -> bool:
    """True where the entry's revisions may run: it changed a service, and was neither refused nor undone."""
    undone = entry.kind != "rollback" and entry.outcome is Outcome.ROLLED_BACK
    changed = any(service.changed and service.task_definition for service in entry.services.values())
    return changed and not undone and entry.outcome is not Outcome.REFUSED


def running_release(
    entries: Sequence[LedgerEntry],
    live: Mapping[str, LiveRevision],
    services: Collection[str] = (),
    *,
    whole: bool = False,
) -> RunningRelease:
    """The newest of ``entries`` (newest first) all of whose revisions run; of a rollback, the release that it chose.

    ``services``: only these. Services that the entry does not have, or that were removed since, do not count.
    ``whole``: a rollback of some services that left others at another release does not count.
    """
    chosen = [key for key in live if not services or key in services]
    revisions = Revisions(entries)
    for entry in entries:
        if not took_effect(entry) or not _concerns(entry, chosen):
            continue
        if entry.services.keys().isdisjoint(chosen) or not _runs(entry, live, chosen, revisions):
            continue
        if entry.kind != "rollback":
            return RunningRelease(entry.id, entry, entry)
        target = next((other for other in entries if other.id == entry.target), None)
        if entry.target and (not whole or _runs(target, live, chosen, revisions)):
            return RunningRelease(entry.target, target, entry)
    return RunningRelease()


def _runs(
    entry: LedgerEntry | None, live: Mapping[str, LiveRevision], chosen: Collection[str], revisions: Revisions
) -> bool:
    """True where every chosen service that ``entry`` has runs its revision."""
    services = entry.services if entry else {}
    return all(
        revisions.same(services[key].task_definition, live[key].task_definition) for key in chosen if key in services
    )


def position(entries: Sequence[LedgerEntry], service: str, live: LiveRevision, revisions: Revisions) -> Position:
    """Where ``service`` is when the services run no single release."""
    matching = (
        entry.target if entry.kind == "rollback" else entry.id
        for entry in entries
        if service in entry.services
        and took_effect(entry)
        and _concerns(entry, [service])
        and revisions.same(entry.services[service].task_definition, live.task_definition)
    )
    if release := next(filter(None, matching), None):
        return Position(release, exact=True, until=release)
    ids = [entry.id for entry in entries]
    if live.release:  # registered by a run that ended before it could record it
        before = max((identifier for identifier in ids if identifier < live.release), default="")
        return Position(live.release, exact=True, until=before)
    family, number = split_revision(live.task_definition)
    arns = ((entry.id, entry.services[service].task_definition) for entry in entries if service in entry.services)
    recorded = [(identifier, *split_revision(arn)) for identifier, arn in arns]
    numbers = [(identifier, other) for identifier, theirs, other in recorded if theirs == family]
    if not numbers:
        return Position(None, exact=False, until=None)
    before = max((identifier for identifier, other in numbers if other < number), default="")
    return Position(before or None, exact=False, until=before)


def last_effective(entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """The newest entry whose revisions should run."""
    return next((entry for entry in entries if entry.outcome is not None and took_effect(entry)), None)


def _concerns(entry: LedgerEntry, chosen: Collection[str]) -> bool:
    """A rollback of other services says nothing about the ``chosen`` ones."""
    return entry.kind != "rollback" or any(entry.services[key].changed for key in chosen if key in entry.services)


def unfinished(
    entries: Sequence[LedgerEntry], command: str, sha: str, live: Collection[str], left: str | None = None
) -> LedgerEntry | None:
    """The entry that the next ``command`` of ``sha`` continues: the newest run of its kind, if it has no end yet.

    ``live``: the releases that the live definitions are tagged with. A release that ran to its end and was not judged
    (inconclusive, or `rollout` as a step by itself) is continued by `deploy` where it still runs. ``left``: the entry
    of a run that was killed at its very end, before anybody saw how it ended.
    """
    newest = next((entry for entry in entries if _counts(entry, command)), None)
    if newest is None or newest.kind == "rollback" or newest.sha != sha or withdrawn(newest):
        return None
    cut_off = _cut_off(newest, left) and newest.command == command
    if command != "deploy":
        return newest if cut_off else None
    judged = newest.verdict is not None and newest.verdict.final
    return newest if (cut_off and newest.id == left) or (not judged and (cut_off or newest.id in live)) else None


def unfinished_rollback(
    entries: Sequence[LedgerEntry], services: Collection[str], to: str | None = None, left: str | None = None
) -> LedgerEntry | None:
    """The rollback that the next one of the same ``services`` (to the same release) continues; None where none is.

    Only a finished rollback makes the next one go further back.
    """
    newest = next((entry for entry in entries if _counts(entry, "rollback")), None)
    if newest is None or newest.kind != "rollback" or not _cut_off(newest, left):
        return None
    name = (to or "").strip().lower()
    meant = (newest.sha or "").startswith(name) or (newest.target or "").lower() == name
    return newest if meant and newest.target and set(newest.asked) == set(services) else None


def _cut_off(entry: LedgerEntry, left: str | None) -> bool:
    return entry.outcome in (None, Outcome.INTERRUPTED) or entry.id == left


def _counts(entry: LedgerEntry, command: str) -> bool:
    """True for what may have changed what runs; `rollout` as a step by itself releases a commit, too."""
    if command in ("migrate", "invalidate"):
        return entry.kind != "step" or bool(entry.changing) or entry.command == command
    return entry.kind != "step" or entry.command == "rollout" or any(each.changed for each in entry.services.values())


def withdrawn(entry: LedgerEntry) -> bool:
    """True where a rollback withdrew the release; tags record that as a verdict, without the rollback's id."""
    return bool(entry.withdrawn_by) or entry.verdict is Verdict.WITHDRAWN


def drift(entries: Sequence[LedgerEntry], observed: Mapping[str, ObservedService]) -> tuple[Drift, ...]:
    """What runs differently from how the newest of ``entries`` that took effect left it.

    A release in progress or interrupted is no drift: its revisions are tagged with its id.
    """
    unfinished = {
        entry.id for entry in entries if entry.kind == "deploy" and not (entry.verdict and entry.verdict.final)
    }
    last = last_effective(entries)
    if last is None or running_release(entries, live_of(observed)).release is not None:
        return ()
    revisions = Revisions(entries)
    found: list[Drift] = []
    for key, service in observed.items():
        released = last.services.get(key)
        if released is None or revisions.same(released.task_definition, service.definition.arn):
            continue
        if service.definition.release in unfinished:
            continue
        found.append(Drift(key, "task_definition", released.task_definition, service.definition.arn))
        if released.image != service.image:
            found.append(Drift(key, f"containers.{service.container}.image", released.image, service.image))
    return tuple(found)
