"""What the reading commands tell a job summary: `plan`, `check`, `status`, the lock, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from deploykit.model.hint import PROGRAM
from deploykit.report.github_text import NONE, brief, code, commit, inline, table

Document = Mapping[str, Any]
MOST_FAILURES = 3  # of an endpoint


def plan(document: Document) -> Iterable[list[str]]:
    services = document["services"].items()
    rows = [(inline(name), inline(one["action"]), brief(one["image"]), inline(one["why"])) for name, one in services]
    fields = [
        (inline(name), code(field["path"]), brief(field["before"]), brief(field["after"]))
        for name, one in services
        for field in one["diff"]
    ]
    tasks = [
        (inline(one["service"]), inline(one["action"]), code(" ".join(one["command"])), inline(one["reason"]))
        for one in document["migrations"]
    ]
    emptied = [f"{code(', '.join(one['paths']))} on {code(one['distribution'])}" for one in document["invalidations"]]
    continues = document["continues"]
    yield _bullets("Deploy would refuse", [inline(text) for text in document["refusals"]])
    yield _bullets("Warnings", [inline(text) for text in document["warnings"]])
    yield [f"It continues release {code(continues)}, which was cut off or not judged.", ""] if continues else []
    yield titled("Images", table(("service", "action", "image", "why"), rows))
    yield titled("Task definitions", table(("service", "field", "now", "then"), fields))
    yield titled("Migrations", table(("service", "action", "command", "why"), tasks))
    yield _bullets("Invalidations", emptied)


def endpoints(endpoints: Sequence[Document], reason: str | None) -> list[str]:
    said = {True: "ok", False: "down", None: "not judged"}
    rows = [
        (
            inline(each["id"]),
            said[each["ok"]] + (" (warns only)" if each["severity"] == "warn" and not each["ok"] else ""),
            str(each["status"] or NONE),
            f"{each['latency_ms']:.0f} ms" if each["latency_ms"] is not None else NONE,
            commit(each["version"]),
            listed(each["failures"][:MOST_FAILURES]),
        )
        for each in endpoints
    ]
    lines = titled("Endpoints", table(("endpoint", "is", "status", "time", "commit", "why"), rows))
    return [inline(reason), "", *lines] if reason else lines


def status(document: Document) -> Iterable[list[str]]:
    rows = [
        (
            inline(name),
            commit(one["sha"]) if one["sha"] else brief(one["image"]),
            " of ".join(NONE if number is None else str(number) for number in (one["running"], one["desired"])),
            inline(one["rollout"] or "").replace("_", " ") or NONE,
            inline(one["since"] or NONE),
            inline(one["by"] or NONE),
        )
        for name, one in document["services"].items()
    ]
    drift = [
        (inline(one["service"]), code(one["path"]), brief(one["released"]), brief(one["running"]))
        for one in document["drift"]
    ]
    yield titled("What runs", table(("service", "commit", "tasks", "rollout", "since", "by"), rows))
    yield titled("Drift", table(("service", "field", "released", "runs"), drift))
    if found := document["unfinished"]:
        what = f"the {inline(found['doing'])} of {commit(found['sha'])} by {inline(found['by'])}"
        again = code(f"{PROGRAM} {found['command']}")
        continues = "" if found["under_way"] else f"; {again} continues"
        yield [f"- **not finished**: {what}, begun {inline(found['started'])}{continues}", ""]


def lock(document: Document) -> list[str]:
    lines = [inline(document["note"]), ""] if document.get("note") else []
    if lease := document["lease"]:
        what = f"{inline(lease['command'])} {commit(lease['sha'])}"
        lines.append(f"- **locked** by {inline(lease['holder'])}: {what} since {inline(lease['since'])}")
    if frozen := document["hold"]:
        since = f"since {inline(frozen['since'])}: {inline(frozen['reason'])}"
        lines.append(f"- **frozen** by {inline(frozen['by'])} {since}")
    return [*lines, ""] if lines else []


def way_back(way_back: Document | None) -> str:
    if way_back is None:
        return "**way back**: not looked at"
    release = f", release {code(way_back['release'])}" if way_back["release"] else ""
    problems = "; ".join(inline(text) for text in way_back["problems"])
    if way_back["ready"]:
        return f"**way back**: ready{release}{f' (though {problems})' if problems else ''}"
    return f"**way back**: not ready{release}{f' ({problems})' if problems else ''}"


def titled(title: str, lines: Sequence[str]) -> list[str]:
    return [f"**{title}**", "", *lines, ""] if lines else []


def _bullets(title: str, items: Sequence[str]) -> list[str]:
    return titled(title, [f"- {item}" for item in items])


def listed(texts: Iterable[str]) -> str:
    return "; ".join(inline(text) for text in texts) or NONE
