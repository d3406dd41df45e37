"""Which release runs: the one whose revisions run. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import ObservedService
from deploykit.model.release import Outcome, Verdict


@dataclass(frozen=True)
class LiveRevision:
    """What one service is set to run: the revision's ARN, and the release that it is tagged with."""

    task_definition: str
    release: str | None = None


@dataclass(frozen=True)
class RunningRelease:
    """The release that runs. ``release`` None: what runs is no release as a whole.

    ``entry`` is that release's own entry (None where it is older than what was read), ``set_by`` the entry of the run
    that brought it there: the same, or a rollback's.
    """

    release: str | None = None
    entry: LedgerEntry | None = None
    set_by: LedgerEntry | None = None


@dataclass(frozen=True)
class Position:
    """Where one service stands in the row of releases.

    ``release`` is the newest one that its revision belongs to; ``exact`` False: the revision is in no release, and came
    after that one. ``until`` is the newest release that is not ahead of it (None: cannot be told).
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
            gone_to = by_id.get(entry.target or "") if entry.kind == "rollback" else None
            for key, service in entry.services.items() if gone_to else ():
                before = gone_to.services.get(key) if gone_to else None
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
        """The last registered of all revisions that are the same as ``arn``: the one most likely still registered."""
        return max([arn, *(copy for copy in self._original if self.same(copy, arn))], key=lambda copy: split(copy)[1])


def live_of(observed: Mapping[str, ObservedService]) -> dict[str, LiveRevision]:
    """What ``observed`` services are set to run."""
    return {key: LiveRevision(service.definition.arn, service.definition.release) for key, service in observed.items()}


def took_effect(entry: LedgerEntry) -> bool:
    """True where the entry's revisions may run: it changed a service, and was neither refused nor put back."""
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
    """The newest of ``entries`` (newest first) all of whose revisions run; a rollback's is the release it went to.

    ``services``: look at these only. Services that an entry does not know, or that are gone since, say nothing.
    ``whole``: a rollback of some services, which left others at a release of their own, brought no release.
    """
    chosen = [key for key in live if not services or key in services]
    revisions = Revisions(entries)
    for entry in entries:
        if not took_effect(entry) or not _concerns(entry, chosen):
            continue
        known = [key for key in chosen if key in entry.services]
        if known and all(
            revisions.same(entry.services[key].task_definition, live[key].task_definition) for key in known
        ):
            if entry.kind != "rollback":
                return RunningRelease(entry.id, entry, entry)
            if entry.target and (not whole or _runs_whole(_find(entries, entry.target), live, chosen, revisions)):
                return RunningRelease(entry.target, _find(entries, entry.target), entry)
    return RunningRelease()


def _runs_whole(
    gone_to: LedgerEntry | None, live: Mapping[str, LiveRevision], chosen: Collection[str], revisions: Revisions
) -> bool:
    """True where every chosen service runs what ``gone_to`` has of it."""
    services = gone_to.services if gone_to else {}
    return all(
        revisions.same(services[key].task_definition, live[key].task_definition) for key in chosen if key in services
    )


def position(entries: Sequence[LedgerEntry], service: str, live: LiveRevision, revisions: Revisions) -> Position:
    """Where ``service`` stands when what runs is no release as a whole."""
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
    if live.release:  # registered by a run that did not get to write it down
        before = max((identifier for identifier in ids if identifier < live.release), default="")
        return Position(live.release, exact=True, until=before)
    family, number = split(live.task_definition)
    numbered = [
        (entry.id, split(entry.services[service].task_definition)[1])
        for entry in entries
        if service in entry.services and split(entry.services[service].task_definition)[0] == family
    ]
    if not numbered:
        return Position(None, exact=False, until=None)
    before = max((identifier for identifier, other in numbered if other < number), default="")
    return Position(before or None, exact=False, until=before)


def split(arn: str) -> tuple[str, int]:
    """Family and number of a revision's ARN; an ARN without a number is number 0 of a family of its own."""
    family, _, number = arn.rpartition("/")[2].rpartition(":")
    return (family, int(number)) if family and number.isdigit() else (arn, 0)


def last_effective(entries: Iterable[LedgerEntry]) -> LedgerEntry | None:
    """The newest entry whose revisions should run."""
    return next((entry for entry in entries if entry.outcome is not None and took_effect(entry)), None)


def _concerns(entry: LedgerEntry, chosen: Collection[str]) -> bool:
    """A rollback of other services says nothing about the ``chosen`` ones."""
    return entry.kind != "rollback" or any(entry.services[key].changed for key in chosen if key in entry.services)


def _find(entries: Sequence[LedgerEntry], identifier: str) -> LedgerEntry | None:
    return next((entry for entry in entries if entry.id == identifier), None)


def unfinished(entries: Sequence[LedgerEntry], sha: str, tags: Mapping[str, str | None]) -> LedgerEntry | None:
    """The entry that the next deploy of ``sha`` goes on with: the newest release, not judged yet.

    ``tags``: the release that each live definition is tagged with.  An entry that nothing runs of any more (it was
    killed before its first rollout) is left behind, unless it had begun a migration: the baseline in it is older than
    what that may have changed.
    """
    releases = [entry for entry in entries if entry.kind in ("deploy", "rollback") or _rolled_out(entry)]
    newest = releases[0] if releases else None
    if newest is None or newest.kind == "rollback" or newest.sha != sha or withdrawn(newest):
        return None
    judged = newest.verdict is not None and newest.verdict.final
    migrating = any(record.release == newest.id for record in newest.migrations.values())
    cut_off = migrating and newest.kind == "deploy" and newest.outcome in (None, Outcome.INTERRUPTED)
    return newest if not judged and (cut_off or newest.id in tags.values()) else None


def _rolled_out(entry: LedgerEntry) -> bool:
    """True for the step `rollout` by itself, which brings a commit to run and judges nothing."""
    return entry.kind == "step" and any(service.changed for service in entry.services.values())


def withdrawn(entry: LedgerEntry) -> bool:
    """True where a rollback withdrew the release; tags tell it as a verdict, without by which."""
    return bool(entry.withdrawn_by) or entry.verdict is Verdict.WITHDRAWN
