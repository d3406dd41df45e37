"""Decide what a deploy does: values in, a Plan out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from deploykit.config.schema import Configuration
from deploykit.config.sequence import sequence_of
from deploykit.ledger.choose import Destination
from deploykit.model.ledger import LedgerEntry
from deploykit.model.observed import TAG_ENVIRONMENT, TAG_RELEASE, TAG_SHA, Definition, ObservedService, running_sha
from deploykit.model.plan import Change, Plan, PlannedImage
from deploykit.model.release import Commit, Verdict
from deploykit.targets.cdn.plan import needed, refuse_beyond_limits
from deploykit.targets.ecs.definition import has_variable, next_registration, registration, release_tags, same_content

Kind = Literal["deploy", "rollback", "step"]


def plan_deploy(
    configuration: Configuration,
    observed: Mapping[str, ObservedService],
    commit: Commit,
    images: Mapping[str, PlannedImage],
    release: str,
    command: str = "deploy",
) -> Plan:
    """The way from ``observed`` to ``commit`` for the services that ``images`` has images of.

    A service that runs its content already keeps its definition and its own commit, and is not in the plan's changes.
    Raises: FailedBefore (container not in the definition, paths beyond CloudFront's limits).
    """
    changes = {
        key: change
        for key, planned in images.items()
        if key in observed and (change := _change(configuration, observed[key], commit, planned, release))
    }
    kind: Kind = "deploy" if command == "deploy" else "step"
    return _plan(kind, configuration, observed, changes, release, commit.tag)


def resume(plan: Plan, configuration: Configuration, unfinished: LedgerEntry, before: Mapping[str, Definition]) -> Plan:
    """The same release once more, in its own ledger entry, after it was killed or could not be judged.

    What it had rolled out already stays a change of the release, whose undo goes to what ran ``before`` the entry
    began. ``before`` holds those revisions by service, as far as they are still described.
    """
    changes = dict(plan.changes)
    for key, service in plan.observed.items():
        ours = service.definition.release == unfinished.id
        if key in changes:
            tags = {**changes[key].tags, TAG_RELEASE: unfinished.id}
            changes[key] = replace(changes[key], before=before.get(key) or changes[key].before, tags=tags)
        elif ours:
            changes[key] = as_it_runs(service, before.get(key))
    return _in_entry(plan, configuration, unfinished, changes)


def resume_undo(
    plan: Plan, configuration: Configuration, unfinished: LedgerEntry, before: Mapping[str, Definition]
) -> Plan:
    """Nothing is left to do but the undo that ``unfinished`` began: of the services that it had begun to change."""
    begun = [key for key, service in unfinished.services.items() if service.changed and key in plan.observed]
    changes = {key: as_it_runs(plan.observed[key], before.get(key)) for key in begun}
    return replace(_in_entry(plan, configuration, unfinished, changes), invalidations=())


def begin_anew(plan: Plan, unfinished: LedgerEntry) -> Plan:
    """The same in the ledger entry of a run that was killed before it began anything."""
    changes = {
        key: replace(change, tags={**change.tags, TAG_RELEASE: unfinished.id}) for key, change in plan.changes.items()
    }
    return replace(plan, release=unfinished.id, changes=changes)


def continued_rollback(
    plan: Plan,
    configuration: Configuration,
    entry: LedgerEntry,
    before: Mapping[str, Definition],
    reached: Sequence[str],
) -> Plan:
    """What is left of the rollback of ``entry``: ``plan``, and the services that have ``reached`` their revision.

    Those stay changes of the rollback, to be followed to their end. ``before``: what ran when it began, by service.
    """
    changes = {
        key: as_it_runs(plan.observed[key], before.get(key)) if key in reached else plan.changes[key]
        for key in plan.observed
        if key in reached or key in plan.changes
    }
    changes = {key: replace(change, before=before.get(key) or change.before) for key, change in changes.items()}
    return replace(_in_entry(plan, configuration, entry, changes), withdraws=entry.withdraws)


def _in_entry(plan: Plan, configuration: Configuration, entry: LedgerEntry, changes: Mapping[str, Change]) -> Plan:
    """``plan`` with ``changes``, as the rest of the run that ``entry`` is of."""
    return replace(
        plan,
        release=entry.id,
        previous_sha=entry.previous_sha,
        changes=changes,
        sequence=sequence_of(configuration, changes),
        invalidations=needed(configuration.cdn, changes),
    )


def plan_rollback(
    configuration: Configuration,
    observed: Mapping[str, ObservedService],
    destination: Destination,
    definitions: Mapping[str, Definition],
    release: str,
) -> Plan:
    """The way back to ``destination``, whose revisions are ``definitions`` by service; deregistered ones are new."""
    changes = {
        key: Change(
            name=observed[key].name,
            container=observed[key].container,
            before=observed[key].definition,
            sha=definition.sha or (destination.entry.services[key].sha if key in destination.entry.services else None),
            image=str((definition.container(observed[key].container) or {}).get("image", "")) or None,
            registration=None if definition.active else registration(definition),
            to=definition if definition.active else None,
            tags=dict(definition.tags),
        )
        for key, definition in definitions.items()
        if definition.arn != observed[key].definition.arn
    }
    verdict = destination.entry.verdict
    return replace(
        _plan("rollback", configuration, observed, changes, release, destination.sha),
        target=destination.release,
        target_verdict=verdict if verdict is not Verdict.WITHDRAWN else None,
        withdraws=destination.withdraws,
    )


def as_it_runs(service: ObservedService, before: Definition | None) -> Change:
    """A change to the revision that the service runs already, which an undo takes back to ``before``."""
    return Change(service.name, service.container, before, service.sha, service.image, to=service.definition)


def _plan(
    kind: Kind,
    configuration: Configuration,
    observed: Mapping[str, ObservedService],
    changes: Mapping[str, Change],
    release: str,
    sha: str | None,
) -> Plan:
    invalidations = needed(configuration.cdn, changes)
    refuse_beyond_limits(invalidations)
    previous, sequence = running_sha(observed), sequence_of(configuration, changes)
    return Plan(kind, configuration.environment, release, sha, previous, observed, changes, sequence, invalidations)


def _change(
    configuration: Configuration, observed: ObservedService, commit: Commit, planned: PlannedImage, release: str
) -> Change | None:
    service, image = configuration.services[observed.key], planned.image
    kept = planned.action == "keep" and has_variable(observed, service.release_env)
    if kept and observed.newer is None:
        return None
    sha = (observed.sha if kept else None) or commit.tag  # the same content stays its own commit's
    request = next_registration(observed, image.reference, sha, service.release_env)
    if same_content(observed.definition, request):
        return None
    pending, tags = observed.pending, release_tags(observed.base, release, sha, configuration.environment)
    if pending and not (pending.active and _meant_for(pending, tags) and same_content(pending, request)):
        pending = None
    return Change(
        name=observed.name,
        container=observed.container,
        before=observed.definition,
        sha=sha,
        image=image.reference,
        registration=request,
        to=pending,
        tags=tags,
    )


def _meant_for(definition: Definition, tags: Mapping[str, str]) -> bool:
    return all(definition.tags.get(tag) == tags[tag] for tag in (TAG_SHA, TAG_ENVIRONMENT))
