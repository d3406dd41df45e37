"""The way back, proven before it is needed: is there a verified release to return to, and would it start?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from deploykit.config.schema import Configuration
from deploykit.edges.aws.ecs import definitions_of
from deploykit.edges.aws.session import Aws
from deploykit.edges.world import World
from deploykit.errors import DeploykitError
from deploykit.ledger.choose import NoTarget, choose
from deploykit.ledger.read import choose_untagged
from deploykit.ledger.running import Live
from deploykit.model.hint import Hint, command
from deploykit.model.ledger import LedgerEntry
from deploykit.model.report import RunReport, WayBack
from deploykit.preflight.startable import startable
from deploykit.targets.migration.crossing import crossed


def way_back(
    configuration: Configuration, aws: Aws, entries: Sequence[LedgerEntry], live: Mapping[str, Live]
) -> WayBack:
    """Where a plain ``rollback`` would go from ``live``, and what its target lacks to start again.

    ``entries``: newest first. What a permission keeps from being looked at stands among the problems of a way back
    that is ready all the same, as a rollback would go there; where nothing could be looked at, it is not.
    """
    try:
        target = choose_untagged(aws, entries, lambda known: choose(known, live))
    except DeploykitError as error:
        return WayBack(False, None, (f"could not look: {error.message}",))
    if isinstance(target, NoTarget):
        return WayBack(False, None, (target.reason,))
    across = [
        Hint(f"the migration of {key} in release {release} lies between: it takes ", command("rollback", "--to"))
        for release, key in crossed(configuration, entries, target.release, target.running)
    ]
    try:
        definitions, gone = definitions_of(aws, target.revisions)
        found = startable(aws, definitions, configuration.account, configuration.registry)
    except DeploykitError as error:
        return WayBack(False, target.release, (f"could not look: {error.message}",))
    problems = (*across, *gone, *found.problems)
    return WayBack(not problems, target.release, (*problems, *found.warnings))


def with_way_back(
    report: RunReport, configuration: Configuration, world: World, entries: Sequence[LedgerEntry]
) -> RunReport:
    """The report of a run that has ended, with the way back from what runs now. ``entries``: newest first."""
    known = {entry.id: entry for entry in reversed(entries)}  # the run's own entry may stand there in an older version
    known |= {entry.id: entry for entry in entries[:1]}
    live = {key: Live(service.task_definition) for key, service in report.services.items() if service.task_definition}
    newest_first = sorted(known.values(), key=lambda entry: entry.id, reverse=True)
    found = way_back(configuration, world.aws, newest_first, live)
    hint = report.hint if found.ready else report.hint_without_way_back or report.hint
    return replace(report, way_back=found, hint=hint)
