"""Releases as the tags of task definitions record them: enough for a rollback when the ledger cannot be read."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from deploykit.edges.aws.ecs import find_definition, list_definitions
from deploykit.edges.aws.session import Aws
from deploykit.edges.parallel import side_by_side
from deploykit.ledger.store import started_of
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import TAG_ENVIRONMENT, Definition, ObservedService, split_revision
from deploykit.model.release import Outcome, ReleasedService, Verdict

_PORTIONS = (3, 8)  # revisions of one family described at first, and then at a time: most questions end at the first
AT_MOST = 200  # revisions of one family
_WORST_FIRST = (Verdict.WITHDRAWN, Verdict.UNHEALTHY, None, Verdict.INCONCLUSIVE, Verdict.UNCHECKED, Verdict.HEALTHY)

Until = Callable[[Sequence[LedgerEntry]], str | None]


@dataclass(frozen=True)
class Revision:
    """A task definition revision that deploykit registered for a service of this environment."""

    service: str
    arn: str
    release: str
    sha: str | None
    verdict: Verdict | None
    image: str | None
    live: bool = False
    withdrawn_by: str | None = None

    @property
    def counts(self) -> bool:
        """True where later releases that did not change the service may run it: it was verified, or it runs now."""
        return self.live or bool(self.verdict and self.verdict.verified)


def tagged_releases(
    aws: Aws,
    observed: Mapping[str, ObservedService],
    environment: str,
    until: Until | None = None,
    at_most: int = AT_MOST,
) -> tuple[LedgerEntry, ...]:
    """The releases named by tags on the revisions of the ``observed`` services, newest first.

    Reads revisions newest first, deregistered ones included: a portion of each family at a time, side by side. Stops
    when ``until`` names a release and what every service ran in it is known, or after ``at_most`` revisions of each
    family. Ignores revisions that carry another environment's tag or none of deploykit's.
    Raises: NotAllowed, Throttled, AwsUnreachable.
    """
    families = {key: _Family(aws, key, service, environment) for key, service in observed.items()}
    while True:
        arns = side_by_side({key: partial(family.following, at_most) for key, family in families.items()})
        listed = itertools.chain.from_iterable(arns.values())
        found = side_by_side({arn: partial(find_definition, aws, arn) for arn in listed})
        for key, family in families.items():
            family.add(found[arn] for arn in arns[key])
        revisions = [revision for family in families.values() for revision in family.revisions]
        releases = releases_of(revisions, environment)
        release = until(releases) if until else None
        if all(family.exhausted or (release and family.reaches(release)) for family in families.values()):
            return releases


def releases_of(revisions: Iterable[Revision], environment: str = "") -> tuple[LedgerEntry, ...]:
    """The ledger entries that ``revisions`` tell, newest first; fields that no tag records are empty. Pure.

    A service that a release did not change ran the newest verified revision of an earlier release. A release's verdict
    is the worst of its revisions' verdicts; a revision without one belongs to a release that never finished.
    """
    services: dict[str, dict[str, Revision]] = {}
    for revision in sorted(revisions, key=lambda each: (each.live, split_revision(each.arn)[1])):
        # a rollback registers a release's revision again; of the two, the later has the later verdict
        services.setdefault(revision.service, {})[revision.release] = revision
    ids = sorted({release for known in services.values() for release in known}, reverse=True)
    return tuple(_entry(identifier, environment, services) for identifier in ids)


@dataclass
class _Family:
    """The task definition family of one service, read from the newest revision backwards."""

    aws: Aws
    service: str
    observed: ObservedService
    environment: str
    revisions: list[Revision] = field(default_factory=list)
    seen: int = 0
    exhausted: bool = False
    _arns: Iterator[str] | None = None

    def following(self, at_most: int) -> list[str]:
        """ARNs of the next portion of revisions, newest first; at most ``at_most`` in all calls together."""
        if self._arns is None:
            family = self.observed.definition.family
            listed = [list_definitions(self.aws, family, status) for status in ("ACTIVE", "INACTIVE")]
            self._arns = heapq.merge(*listed, key=lambda arn: -split_revision(arn)[1])
        portion = _PORTIONS[1] if self.seen else _PORTIONS[0]
        taken = list(itertools.islice(self._arns, min(portion, at_most - self.seen)))
        self.seen += len(taken)
        self.exhausted = len(taken) < portion or self.seen >= at_most
        return taken

    def add(self, definitions: Iterable[Definition | None]) -> None:
        for definition in definitions:
            if definition is None or definition.tags.get(TAG_ENVIRONMENT) != self.environment or not definition.release:
                continue
            container = definition.container(self.observed.container) or {}
            revision = Revision(
                service=self.service,
                arn=definition.arn,
                release=definition.release,
                sha=definition.sha,
                verdict=next((word for word in Verdict if word.value == definition.verdict), None),
                image=str(container.get("image") or "") or None,
                live=definition.arn == self.observed.definition.arn,
                withdrawn_by=definition.withdrawn_by,
            )
            self.revisions.append(revision)

    def reaches(self, release: str) -> bool:
        """True where the revisions read so far tell what this service ran in ``release``."""
        return any(r.release == release or (r.release < release and r.counts) for r in self.revisions)


def _entry(identifier: str, environment: str, services: Mapping[str, Mapping[str, Revision]]) -> LedgerEntry:
    own = [known[identifier] for known in services.values() if identifier in known]
    released: dict[str, ReleasedService] = {}
    for key, known in services.items():
        before = _before(known, identifier)
        if ran := known.get(identifier) or before:
            released[key] = _released(ran, identifier, before)
    verdict = min((revision.verdict for revision in own), key=_WORST_FIRST.index)
    return LedgerEntry(
        id=identifier,
        kind="deploy",
        command="deploy",
        environment=environment,
        sha=next((revision.sha for revision in own if revision.sha), None),
        previous_sha=None,
        started=started_of(identifier),
        by="",
        verdict=verdict,
        outcome=Outcome.DEPLOYED if verdict and (verdict.verified or verdict is Verdict.WITHDRAWN) else None,
        services=released,
        withdrawn_by=next((revision.withdrawn_by for revision in own if revision.withdrawn_by), None),
    )


def _before(known: Mapping[str, Revision], release: str) -> Revision | None:
    """What a service ran before ``release``: the newest earlier revision that was verified, or that runs now."""
    earlier = [revision for revision in known.values() if revision.release < release and revision.counts]
    return max(earlier, key=lambda revision: revision.release, default=None)


def _released(revision: Revision, release: str, before: Revision | None) -> ReleasedService:
    digest = (revision.image or "").partition("@")[2] or None
    changed = revision.release == release
    previous = before.arn if changed and before else None
    return ReleasedService(revision.service, revision.sha, revision.image, digest, revision.arn, previous, changed)
