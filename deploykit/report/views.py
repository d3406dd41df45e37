"""`status`, `history` and `check` for people, read from the same documents that --json prints."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from deploykit.model.hint import Hint, command
from deploykit.model.release import short
from deploykit.report.findings import of_way_back
from deploykit.report.measures import of_stats
from deploykit.report.style import Style
from deploykit.report.summary import spoken

Document = Mapping[str, Any]
_DIGITS = 12  # of a digest or a commit, enough to tell them apart


def of_status(document: Document, style: Style, now: datetime) -> list[str]:
    """What runs where, since when, how healthy, and whether the way back is ready."""
    lines = [_release_line(document, style)]
    width = max((len(name) for name in document["services"]), default=0)
    for name, service in document["services"].items():
        desired, running = service["desired"], service["running"]
        count = "/".join("-" if number is None else str(number) for number in (running, desired)) + " tasks"
        paint = style.good if desired and running == desired else style.warn
        since = f"since {ago(service['since'], now)}" if service["since"] else ""
        by = f"by {service['by']}" if service["by"] else ""
        rollout = (service["rollout"] or "").lower().replace("_", " ")
        words = [_what(service), paint(count), rollout, since, by]
        lines.append(f"  {name.ljust(width)}  " + "  ".join(word for word in words if word))
    for drift in document["drift"]:
        what = f"{drift['service']}: {_path(drift['path'])} is {_brief(drift['running'])}"
        lines.append(style.warn(f"  drift  {what}, released was {_brief(drift['released'])}"))
    lines += _lock_lines(document, style, now)
    lines += _unfinished(document, style, now)
    lines += of_way_back(document["way_back"], style)
    return lines


def _release_line(document: Document, style: Style) -> str:
    release = document["release"]
    if release["id"] is None:
        return f"release  {style.warn('none')}{_why_none(document)}"
    verdict = release["verdict"] or "no verdict"
    paint = {"healthy": style.good, "unhealthy": style.bad}.get(verdict, style.warn)
    commit = short(release["sha"]) if release["sha"] else "unknown commit"
    return f"release  {style.bold(commit)}  {release['id'] or ''}  {paint(verdict)}"


def _what(service: Document) -> str:
    """The commit that runs; for what deploykit did not release, the image."""
    if service["sha"]:
        return short(service["sha"])
    return _brief(service["image"].rpartition("/")[2]) if service.get("image") else "unknown commit"


def _why_none(document: Document) -> str:
    """Why what runs is not one release."""
    if document["drift"]:
        return ": what runs is not what was released last"
    if any(service["sha"] for service in document["services"].values()):
        return " as a whole: each service runs its own"
    return ": nothing here was released by deploykit yet"


def _brief(value: Any) -> str:
    """A value as short as people can tell apart: the end of an ARN or image name, the start of a digest or commit."""
    if not isinstance(value, str):
        return "(none)" if value is None else json.dumps(value, ensure_ascii=False)
    text: str = value
    if text.startswith("arn:") or "@sha256:" in text:
        text = text.rpartition("/")[2]
    name, _, digest = text.partition("@sha256:")
    if digest:
        return f"{name}@{digest[:_DIGITS]}"
    return re.sub(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{28}(?![0-9a-f])", r"\1", text)


def _path(path: str) -> str:
    """``containerDefinitions.api.cpu`` → ``container api.cpu``: shorter, and a line can be broken at the space."""
    return re.sub(r"^containerDefinitions\.", "container ", path)


def _unfinished(document: Document, style: Style, now: datetime) -> list[str]:
    found = document.get("unfinished")
    if not found:
        return []
    what = f"the {found['doing']} of {short(found['sha'])}" if found["sha"] else f"the {found['doing']}"
    whose = f"by {found['by']}, begun {ago(found['started'], now)}"
    if found["under_way"]:
        return [style.warn(f"  under way  {what} {whose}")]
    return [Hint(style.warn(f"  cut off  {what} {whose}; "), command(found["command"]), " continues")]


def of_lock(document: Document, style: Style, now: datetime) -> list[str]:
    """Who holds the deploy lock, whether deploys are frozen, and what to type about either."""
    lines = [document["note"]] if document["note"] else []
    lines += _lock_lines(document, style, now)
    if document["lease"] is None and document["hold"] is None and not document["note"]:
        lines.append(f"deploy lock  {style.good('free')}")
    if document["lease"]:
        waits, takes = command("deploy", "--wait", "10m"), command("rollback", "--take-over")
        lines.append(Hint("  → ", waits, " waits for it; ", takes, " takes it over"))
        gone = Hint("  → ", command("lock", "release"), " takes it away once its run is gone")
        lines.append(gone)
    if document["hold"]:
        lines.append(Hint("  → ", command("lock", "release"), " ends the freeze"))
    return lines


def _lock_lines(document: Document, style: Style, now: datetime) -> list[str]:
    lines = []
    if lease := document["lease"]:
        what = f"{lease['command']} {short(lease['sha'])}" if lease.get("sha") else lease["command"]
        where = f" on {lease['host']}" if lease.get("host") else ""
        heard = f"; last heard of {lease['silent']:.0f} s ago" if not lease.get("alive", True) else ""
        url = f", {lease['run_url']}" if lease.get("run_url") else ""
        since = f"since {lease['since']} ({ago(lease['since'], now)})"
        lines.append(style.warn(f"  locked by {lease['holder']}{where}: {what} {since}{url}{heard}"))
    if hold := document["hold"]:
        lines.append(style.warn(f"  frozen by {hold['by']} since {hold['since']}: {hold['reason']}"))
    return lines


def of_plan(document: Document, style: Style) -> list[str]:
    """What ``deploy`` would do: images, changed fields, invalidations, refusals, the way back."""
    sha = short(document["sha"]) if document["sha"] else "nothing"
    lines = [f"plan for {style.bold(sha)}"]
    if document.get("continues"):
        lines.append(f"  continues release {document['continues']}, which was cut off or not judged")
    width = max((len(name) for name in document["services"]), default=0)
    paints = {"build": style.warn, "reuse": style.good, "keep": style.dim}
    for name, service in document["services"].items():
        action = service["action"]
        lines.append(f"  {name.ljust(width)}  {paints[action](action.ljust(5))}  {service['why']}")
        lines += [f"    {_field(field, style)}" for field in service["diff"]]
    for migration in document["migrations"]:
        lines.append(f"  migration of {migration['service']}: {migration['action']} ({migration['reason']})")
    for item in document["invalidations"]:
        lines.append(f"  invalidate {', '.join(item['paths'])} on {item['distribution']}")
    lines += [Hint(f"  {style.warn('warning')}  ", text) for text in document["warnings"]]
    lines += of_way_back(document["way_back"], style)
    lines += [Hint(f"{style.bad('deploy would refuse')}: ", text) for text in document["refusals"]]
    nothing = document["outcome"] == "unchanged"
    if nothing or not document["refusals"]:
        lines.append("nothing to do" if nothing else Hint(command("deploy"), " does this"))
    return lines


def _field(field: Document, style: Style) -> str:
    before, after = (
        value.rpartition("/")[2] if field["path"].endswith(".image") and isinstance(value, str) else value
        for value in (field["before"], field["after"])
    )
    return f"{_path(field['path'])}: {style.dim(_brief(before))} → {_brief(after)}"


def of_history(document: Document, style: Style) -> list[str]:
    """One line for each release, newest first; or the measures, where they were asked for."""
    if document.get("stats"):
        return of_stats(document["stats"], style)
    releases: Sequence[Document] = document["releases"]
    if not releases:
        return ["no release yet"]
    lines = []
    for entry in releases:
        verdict = entry["verdict"] or entry["outcome"] or "not finished"
        left = style.warn("withdrawn") if entry.get("withdrawn") else ""
        paint = {"healthy": style.good, "unhealthy": style.bad}.get(verdict, style.warn)
        sha = short(entry["sha"]) if entry["sha"] else "-"
        took = spoken(entry["seconds"]) if entry["seconds"] is not None else ""
        started = (entry["started"] or "")[:19].replace("T", " ")
        words = [started, sha.ljust(7), entry["kind"].ljust(8), paint(verdict.ljust(12)), left, took, entry["by"] or ""]
        lines.append("  ".join(word for word in words if word).rstrip())
        if entry["reason"]:
            lines.append(style.dim(f"    {entry['reason']}"))
    return lines


def of_check(document: Document, style: Style, now: datetime | None = None) -> list[str]:
    """A line for each endpoint, with its failures, and the verdict at the end. ``now``: this round's time, if shown."""
    endpoints: Sequence[Document] = document["endpoints"]
    width = max((len(endpoint["id"]) for endpoint in endpoints), default=0)
    lines = []
    for endpoint in endpoints:
        lines.append(_endpoint_line(endpoint, width, style))
        lines += [f"    {failure}" for failure in endpoint["failures"]]
    word = {True: style.good("healthy"), False: style.bad("not healthy"), None: style.warn("could not be judged")}
    # the lines above say what is down, but not why health could not be judged
    why = f": {document['reason']}" if document["healthy"] is None and document.get("reason") else ""
    at = f"{now.astimezone(UTC):%H:%M:%S} " if now is not None else ""
    said = f"{word[document['healthy']]}{why}" if endpoints else "no endpoint is configured"
    return [*lines, f"{at}check: {said}"]


def _endpoint_line(endpoint: Document, width: int, style: Style) -> str:
    warn_only = endpoint["severity"] == "warn"
    bad = style.warn("warn") if warn_only else style.bad("down")
    mark = {True: style.good("ok  "), False: bad, None: style.warn("?   ")}[endpoint["ok"]]
    latency = f"{endpoint['latency_ms']:.0f} ms" if endpoint["latency_ms"] is not None else ""
    version = short(endpoint["version"]) if endpoint["version"] else ""
    words = [mark, endpoint["id"].ljust(width), str(endpoint["status"] or "-"), latency, style.dim(version)]
    return "  " + "  ".join(word for word in words if word).rstrip()


def ago(stamp: str, now: datetime) -> str:
    """``2026-11-21T06:20:00Z`` → ``3 min ago``; ``stamp`` itself where it cannot be parsed."""
    try:
        seconds = (now - datetime.fromisoformat(stamp.replace("Z", "+00:00"))).total_seconds()
    except (TypeError, ValueError):
        return stamp
    if seconds < 60:
        return "just now"
    days = int(seconds // 86400)
    return f"{days} d ago" if days else f"{spoken(seconds - seconds % 60)} ago"
