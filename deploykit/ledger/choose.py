"""Choose where a rollback goes. Pure: entries and what runs in, a destination or the reason why there is none out.

Releases are compared by their ids, which sort by time. The rules:

* Without a name: the newest verified release that is older than the running one, was not withdrawn by a rollback and
  would change one of the chosen services. Repeated rollbacks therefore go strictly backwards.
* The services run no single release (changed by hand, or a run was killed): the newest verified release that is newer
  than no chosen service's, so that none goes forward. A revision that no release recorded counts as newer than the
  releases whose revisions of the same family have lower numbers.
* With a name (``--to``): that commit's release, even if it was never verified, but not one that was rolled back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from deploykit.errors import FailedBefore
from deploykit.ledger.running import (
    LiveRevision,
    Position,
    Revisions,
    RunningRelease,
    position,
    running_release,
    took_effect,
)
from deploykit.model.hint import Hint, command, joined
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import Outcome, Verdict, typed

_OFFERED = 5


@dataclass(frozen=True)
class Destination:
    """Where a rollback goes: the revisions of ``entry``, as ARNs by service, that do not run now.

    ``withdraws``: the releases that the rollback leaves; ``entry`` itself is no longer withdrawn. ``notes``: what
    people should know before it begins.
    """

    entry: LedgerEntry
    revisions: Mapping[str, str]
    running: str | None  # the release that runs now, if it is a single one
    withdraws: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def release(self) -> str:
        return self.entry.id

    @property
    def sha(self) -> str | None:
        return self.entry.sha


@dataclass(frozen=True)
class NoDestination:
    """Why a rollback has no destination, and which releases could be named instead."""

    reason: str
    candidates: tuple[LedgerEntry, ...] = ()
    services: tuple[str, ...] = ()

    def refusal(self) -> FailedBefore:
        """The error that ends the command, with a line to type for each candidate."""
        if not self.candidates:
            hint = Hint(command("history"), " lists the releases; ", command("deploy"), " makes one")
            return FailedBefore(self.reason, hint)
        to = partial(command, "rollback", *self.services, "--to", ticks=False)
        lines = [Hint(to(typed(entry.sha or "")), f"  # {_described(entry)}") for entry in self.candidates]
        return FailedBefore(self.reason, joined("\n", ("name the release to roll back to:", *lines)))


def choose(
    entries: Sequence[LedgerEntry],
    live: Mapping[str, LiveRevision],
    to: str | None = None,
    services: Collection[str] = (),
) -> Destination | NoDestination:
    """Where ``deploykit rollback`` goes. ``entries``: newest first; ``services``: only these (none: all)."""
    history = _History(entries, live, tuple(services))
    if to is not None:
        return _named(history, to)
    verified = [each for each in history.older() if _verified(each) and not _dirty(each) and history.changes(each)]
    return history.destination(verified[0]) if verified else history.nowhere(_nothing_verified(history))


class _History:
    """The releases in their order, and the position of each chosen service among them."""

    def __init__(
        self, entries: Sequence[LedgerEntry], live: Mapping[str, LiveRevision], services: tuple[str, ...]
    ) -> None:
        self.entries = entries
        self.live = live
        self.services = services  # as named; none: all
        self.chosen = tuple(key for key in live if not services or key in services)
        self.revisions = Revisions(entries)
        self.running: RunningRelease = running_release(entries, live, self.chosen, whole=True)
        self.positions: dict[str, Position] = {}
        if self.running.release is None:
            self.positions = {key: position(entries, key, live[key], self.revisions) for key in self.chosen}

    def releases(self) -> list[LedgerEntry]:
        """Those that a rollback could go to, verified or not, newest first."""
        return [entry for entry in self.entries if entry.kind == "deploy" and took_effect(entry)]

    def older(self) -> list[LedgerEntry]:
        """Those before the running one; where no single release runs, those that are newer than no service's."""
        if self.running.release is not None:
            return [entry for entry in self.releases() if entry.id < (self.running.release or "")]
        limits = [place.until for place in self.positions.values() if place.until is not None]
        return [entry for entry in self.releases() if all(entry.id <= limit for limit in limits)]

    def changes(self, entry: LedgerEntry) -> dict[str, str]:
        """The revisions of ``entry`` that chosen services do not run now, by service."""
        wanted = {key: entry.services[key].task_definition for key in self.chosen if key in entry.services}
        return {
            key: self.revisions.newest(arn)
            for key, arn in wanted.items()
            if arn and not self.revisions.same(arn, self.live[key].task_definition)
        }

    def destination(self, entry: LedgerEntry) -> Destination:
        return Destination(entry, self.changes(entry), self.running.release, self._withdraws(entry), self._notes(entry))

    def nowhere(self, reason: str, candidates: tuple[LedgerEntry, ...] | None = None) -> NoDestination:
        return NoDestination(reason, self.candidates() if candidates is None else candidates, self.services)

    def candidates(self) -> tuple[LedgerEntry, ...]:
        """Releases that could be named and would change something: one for each commit."""
        by_sha: dict[str, list[LedgerEntry]] = {}
        for entry in self.releases():
            if entry.sha and entry.id != self.running.release and self.changes(entry):
                by_sha.setdefault(entry.sha, []).append(entry)
        return tuple(_best(same) for same in by_sha.values())[:_OFFERED]

    def _withdraws(self, entry: LedgerEntry) -> tuple[str, ...]:
        """The releases after ``entry`` that services leave; going forward withdraws none."""
        known = {other.id for other in self.entries}
        places = [self.positions[key] for key in self.changes(entry) if key in self.positions]
        left = {place.release for place in places if place.exact and place.release in known}
        return tuple(sorted(release for release in {*left, self.running.release} if release and release > entry.id))

    def _notes(self, entry: LedgerEntry) -> tuple[str, ...]:
        notes = []
        if self.running.release is None:
            notes.append(f"the services run no single release ({self.what_runs()})")
        missing = [key for key in self.chosen if key not in entry.services]
        if missing:
            notes.append(f"release {entry.id} has no {', '.join(missing)}, which stays as it is")
        if not _verified(entry):
            notes.append(f"release {entry.id} is {_described(entry)}; rolling back to it because --to named it")
        return tuple(notes)

    def what_runs(self) -> str:
        """Each chosen service's revision, and the release it is of."""
        return "; ".join(
            f"{key} runs {self.live[key].task_definition.rpartition('/')[2]} "
            + (f"of release {place.release}" if place.exact else "which no release recorded")
            for key, place in self.positions.items()
        )


def _named(history: _History, to: str) -> Destination | NoDestination:
    name = to.strip().lower()
    of_name = [e for e in history.entries if e.kind == "deploy" and name and (e.id.lower() == name or _begins(e, name))]
    whole = [entry for entry in of_name if name in (entry.id.lower(), entry.sha)]
    found = [entry for entry in whole or of_name if took_effect(entry)]
    shas = dict.fromkeys(entry.sha for entry in found)
    if len(shas) > 1:
        several = tuple(_best([entry for entry in found if entry.sha == sha]) for sha in shas)
        return history.nowhere(f"--to {to} matches {len(shas)} releases", several)
    if not found and of_name:
        ended = "was rolled back at once" if of_name[0].outcome is Outcome.ROLLED_BACK else "never ran"
        return history.nowhere(f"release {of_name[0].id} of {to} {ended}")
    if not found:
        return history.nowhere(f"no release of {to} is recorded")
    best = _best(found)
    if not any(key in best.services for key in history.chosen):
        return history.nowhere(f"release {best.id} has none of {', '.join(history.chosen)}")
    return history.destination(best)


def _begins(entry: LedgerEntry, name: str) -> bool:
    """A release of uncommitted changes must be named with ``-dirty``: its commit alone does not name it."""
    sha = entry.sha or ""
    return sha.startswith(name) and (not _dirty(entry) or "-dirty" in name)


def _best(same: Sequence[LedgerEntry]) -> LedgerEntry:
    """Of several releases of one commit (newest first) the newest verified one, else the newest."""
    return next(filter(_verified, same), same[0])


def _verified(entry: LedgerEntry) -> bool:
    proven = entry.verdict is not None and entry.verdict.verified and entry.withdrawn_by is None
    return proven and entry.outcome not in (Outcome.FAILED, Outcome.ROLLED_BACK)


def _dirty(entry: LedgerEntry) -> bool:
    return "-dirty" in (entry.sha or "")


def _described(entry: LedgerEntry) -> str:
    withdrawn = entry.withdrawn_by is not None and entry.verdict is not Verdict.WITHDRAWN
    verdict = str(entry.verdict) if entry.verdict else "without a verdict"
    return ", ".join((f"withdrawn, was {verdict}" if withdrawn else verdict, entry.started)).rstrip(", ")


def _nothing_verified(history: _History) -> str:
    if not history.chosen:
        return "none of the services runs on ECS"
    if not history.releases():
        return "there is no release to roll back to: none is recorded"
    if history.running.release is None:
        return f"the services run no single release ({history.what_runs()}), and no verified release is older"
    sha = history.running.entry.sha if history.running.entry else None
    running = f"{history.running.release}{f' of {typed(sha)}' if sha else ''}"
    if any(_verified(entry) and not _dirty(entry) for entry in history.older()):
        same = ", ".join(history.chosen)
        return f"nothing to roll back to: every verified release before {running} had the same {same}"
    return f"there is no verified release before the running one ({running})"
