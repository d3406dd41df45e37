"""The way back, proven before it is needed: is there a verified release to return to, and would it start?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploykit.config.schema import Configuration
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.edges.world import World
from deploykit.errors import DeploykitError
from deploykit.ledger.choose import NoDestination, choose
from deploykit.ledger.read import choose_untagged
from deploykit.ledger.running import LiveRevision
from deploykit.model.finding import Finding, errors, warnings
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.report import RunReport, WayBack
from deploykit.preflight.release import startable
from deploykit.targets.migration.crossing import crossed

_READY = Hint(command("rollback"), " goes back to the last verified release")
_NAMED = Hint(command("history"), " lists the releases, ", command("rollback", "--to", "SHA"), " goes to one you name")


def way_back(
    configuration: Configuration, aws: Aws, entries: Sequence[LedgerEntry], live: Mapping[str, LiveRevision]
) -> WayBack:
    """Where a plain ``rollback`` would go from ``live``, and what its destination lacks to start again.

    ``entries``: newest first. What could not be looked at is a warning among the findings of a way back that is
    ready all the same, since a rollback would go there; where nothing could be looked at, it is not ready.
    """
    try:
        destination = choose_untagged(aws, entries, lambda known: choose(known, live))
    except DeploykitError as error:
        return WayBack(False, None, (_unseen(error),))
    if isinstance(destination, NoDestination):
        return WayBack(False, None, (_obstacle("no-verified-release", "release", destination.reason),))
    across = [
        _obstacle(
            "migration-between",
            key,
            f"the migration of {key} in release {release} lies between",
            Hint("it takes ", command("rollback", "--to")),
        )
        for release, key in crossed(configuration, entries, destination.release, destination.running)
    ]
    try:
        definitions, gone = definitions_of(aws, destination.revisions)
        found = startable(aws, definitions, configuration.account, configuration.registry)
    except DeploykitError as error:
        return WayBack(False, destination.release, (_unseen(error),))
    deleted = [_obstacle("task-definition-missing", text.partition(":")[0], text) for text in gone]
    obstacles = (*across, *deleted, *errors(found))
    return WayBack(not obstacles, destination.release, (*obstacles, *warnings(found)))


def _obstacle(identifier: str, subject: str, summary: str, hint: str = "") -> Finding:
    return Finding(identifier, "error", "high", subject, summary, hint=hint)


def _unseen(error: DeploykitError) -> Finding:
    return Finding("could-not-look", "warning", "low", "release", f"could not look: {error.message}")


def with_way_back(
    report: RunReport,
    configuration: Configuration,
    world: World,
    entries: Sequence[LedgerEntry],
    *,
    offered: bool,
) -> RunReport:
    """The report of a run that has ended, with the way back from what runs now; ``offered``: its hint names it too.

    ``entries``: newest first.
    """
    known = {entry.id: entry for entry in reversed(entries)}  # the run's own entry may stand there in an older version
    known |= {entry.id: entry for entry in entries[:1]}
    arns = {key: service.task_definition for key, service in report.services.items() if service.task_definition}
    live = {key: LiveRevision(arn) for key, arn in arns.items()}
    found = way_back(configuration, world.aws, sorted(known.values(), key=lambda entry: entry.id, reverse=True), live)
    offer = (_READY if found.ready else _NAMED) if offered else ""
    hint = Hint(report.hint, "; ", offer) if report.hint and offer else report.hint or offer
    return replace(report, way_back=found, hint=hint)
