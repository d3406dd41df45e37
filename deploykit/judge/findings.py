"""What the judging of a release found, in words: one Finding for each endpoint that people should look at."""

from __future__ import annotations

from deploykit.judge.endpoint import EndpointWatch, shown
from deploykit.model.finding import Finding
from deploykit.model.hint import Hint, command


def endpoint_findings(watch: EndpointWatch, repaired: bool, undecided: bool) -> list[Finding]:
    """The findings on one endpoint.

    ``repaired``: the caches before it were emptied because it kept an old version. ``undecided``: the judging ended
    without a decision, so that failures which prove nothing are worth a word too.
    """
    found: list[Finding] = []
    if watch.condemned:
        found.append(_regression(watch))
    elif undecided and watch.tally.failed and not watch.settled:
        found.append(_undecided(watch))
    if watch.stale:
        found.append(_version(watch, repaired))
    elif repaired and watch.version.decided:
        found.append(_repaired(watch))
    return found


def prober_offline(reason: str) -> Finding:
    """The finding where this machine, not the site, is what was out of reach."""
    return Finding(
        "prober-offline",
        "error",
        "high",
        "this machine",
        reason,
        hint=Hint("check this machine's network and DNS, then run ", command("check", ticks=False)),
    )


def _regression(watch: EndpointWatch) -> Finding:
    before = watch.before
    was = f"before the release {before.failed} of {before.samples} samples failed" if before.samples else ""
    return Finding(
        "endpoint-regression",
        "error" if watch.decides else "warning",
        "high",
        watch.endpoint.id,
        f"{watch.endpoint.name} fails since the release: {watch.tally.samples.failures[0].message}",
        (*watch.tally.evidence, *([was] if was else [])),
        _look(watch),
    )


def _undecided(watch: EndpointWatch) -> Finding:
    return Finding(
        "endpoint-undecided",
        "warning",
        "low",
        watch.endpoint.id,
        f"{watch.endpoint.name} failed at times, too seldom or too late to be sure",
        watch.tally.evidence,
        Hint(command("check", watch.endpoint.id, "--rounds", "10", ticks=False)),
    )


def _version(watch: EndpointWatch, repaired: bool) -> Finding:
    after = ", also after its caches were emptied" if repaired else ""
    total = watch.versions.total()
    evidence = (
        f"shows {version or 'no version'} ({count} of {total} samples)"
        for version, count in watch.versions.most_common()
    )
    return Finding(
        "version-not-reported",
        "error" if watch.decides else "warning",
        "high",
        watch.endpoint.id,
        f"{watch.endpoint.name} answers well but does not show version {shown(watch.expected)}{after}",
        tuple(evidence),
        "see that the program reports the commit it was started with (release_env), and that no other cache keeps it",
    )


def _repaired(watch: EndpointWatch) -> Finding:
    return Finding(
        "stale-edge",
        "warning",
        "high",
        watch.endpoint.id,
        f"{watch.endpoint.name} kept an old version at the edge; emptied again, it shows the new one",
        hint="send Cache-Control: no-store with answers that must never be old",
    )


def _look(watch: EndpointWatch) -> Hint:
    service = watch.endpoint.service
    words = ("logs", service, "--since", "10m") if service else ("check", watch.endpoint.id)
    return Hint(command(*words, ticks=False))
