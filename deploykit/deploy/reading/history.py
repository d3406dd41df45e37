"""``deploykit history``: the releases, rollbacks and single steps, newest first."""

from __future__ import annotations

from functools import partial

from deploykit.config.schema import Configuration
from deploykit.deploy.orders import Edges
from deploykit.deploy.reading.status import observe_existing
from deploykit.deploy.returning.recorded import recorded_releases
from deploykit.model.ledger import LedgerEntry
from deploykit.model.release import Outcome, Verdict
from deploykit.model.status import HistoryItem, HistoryReport


def history(configuration: Configuration, edges: Edges, limit: int | None = 20) -> HistoryReport:
    """The newest ``limit`` runs (None: all) that changed the environment; from tags where there is no ledger.

    Records that cannot be read are warnings. Raises: OutOfReach where neither ledger nor tags can be read.
    """
    look = partial(observe_existing, configuration, edges.aws)
    entries = recorded_releases(configuration, edges.aws, look, edges.progress, limit).entries
    return HistoryReport(tuple(_item(entry) for entry in entries if entry.outcome is not Outcome.REFUSED))


def _item(entry: LedgerEntry) -> HistoryItem:
    return HistoryItem(
        id=entry.id,
        kind=entry.kind,
        sha=entry.sha,
        verdict=Verdict.WITHDRAWN if entry.withdrawn_by else entry.verdict,
        outcome=entry.outcome,
        started=entry.started or None,
        seconds=entry.seconds,
        by=entry.by or None,
        reason=entry.reason,
    )
