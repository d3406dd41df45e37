"""`history --stats` for people: the four measures, each with what it is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploykit.report.style import Style
from deploykit.report.summary import spoken

Document = Mapping[str, Any]
_DAY = 86400.0  # seconds
_WORDS = ("healthy", "unchecked", "inconclusive", "failed", "withdrawn")


def of_stats(stats: Document, style: Style) -> list[str]:
    """Two lines for each measure: its value, and what it is computed from."""
    frequency, lead = stats["deployment_frequency"], stats["change_lead_time"]
    rate, recovery = stats["change_fail_rate"], stats["failed_deployment_recovery_time"]
    return [
        *_window(stats["window"], style),
        *_deployments(stats["deployments"]),
        *_measure("deployment frequency", _per_day(frequency["per_day"]), frequency["reason"], style),
        f"    {frequency['deployments']} in {_length(stats['window']['observed_seconds'])}{_between(frequency)}",
        *_measure("change lead time", _typical(lead["median_seconds"]), lead["reason"], style),
        f"    commit to healthy; known for {lead['known']} of {lead['of']}{_each(lead)}",
        *_measure("change fail rate", _share(rate["rate"]), rate["reason"], style),
        f"    {rate['failed']} of {rate['deployments']} undone, not healthy, or withdrawn later",
        *_measure("failed deployment recovery time", _typical(recovery["median_seconds"]), recovery["reason"], style),
        f"    until healthy again; {recovery['recovered']} of {recovery['failed']} recovered{_each(recovery)}",
    ]


def _window(window: Document, style: Style) -> list[str]:
    lines = [style.bold(f"the last {window['days']:g} d, since {window['since'][:10]}")]
    if window["observed_seconds"] < window["seconds"]:
        begins = f"the ledger begins {_length(window['observed_seconds'])} ago"
        lines.append(style.dim(f"  {begins if window['observed_seconds'] else 'the ledger has no entry'}"))
    return lines


def _deployments(deployments: Document) -> list[str]:
    parts = [f"{deployments[word]} {word}" for word in _WORDS if deployments[word]]
    lines = [f"  deployments: {deployments['total']}{' (' + ', '.join(parts) + ')' if parts else ''}"]
    reasons = [one["reason"] for one in deployments["not_counted"]]
    lines += [f"    not counted: {reasons.count(reason)} {reason}" for reason in dict.fromkeys(reasons)]
    return lines


def _measure(name: str, value: str | None, reason: str | None, style: Style) -> list[str]:
    return [f"  {name}  {style.bold(value) if value else style.warn('unknown')}{': ' + reason if reason else ''}"]


def _per_day(value: float | None) -> str | None:
    if value is None:
        return None
    if value and value < 1:
        return f"one in {_length(_DAY / value)}"
    return f"{value:.1f} a day"


def _typical(seconds: float | None) -> str | None:
    return None if seconds is None else f"{_length(seconds)} (median)"


def _share(rate: float | None) -> str | None:
    return None if rate is None else f"{rate * 100:.0f} %"


def _between(frequency: Document) -> str:
    seconds = frequency["median_seconds_between"]
    return "" if seconds is None else f"; {_length(seconds)} between two (median)"


def _each(measure: Document) -> str:
    """The single values, where they are few."""
    if not measure["durations"] or measure["reason"] is None:
        return ""
    return f": {', '.join(_length(one['seconds']) for one in measure['durations'])}"


def _length(seconds: float) -> str:
    """A time as people say it: in days from two days on."""
    if seconds < 2 * _DAY:
        return spoken(seconds)
    days = seconds / _DAY
    return f"{days:.1f} d" if days < 10 else f"{days:.0f} d"
