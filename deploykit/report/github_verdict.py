"""The first line of a job summary: how the command ended, in words; the sign before them only repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploykit.errors import ExitCode
from deploykit.report.github_text import code, commit, inline

Document = Mapping[str, Any]
GOOD, BAD, LOOK = "✅", "❌", "⚠️"
_MOST = 200  # characters of what was typed, such as the name of an environment

_BY_CODE = {
    ExitCode.BUG: (BAD, "failed: a bug in deploykit"),
    ExitCode.USAGE: (BAD, "not begun: the command line or the configuration is wrong"),
    ExitCode.OUT_OF_REACH: (BAD, "failed: something is out of reach or not allowed; nothing that runs was touched"),
    ExitCode.REFUSED: (BAD, "refused; nothing that runs was touched"),
    ExitCode.FAILED_BEFORE: (BAD, "failed before anything that runs was touched"),
    ExitCode.MIGRATION: (BAD, "the migration failed; no service was touched"),
    ExitCode.ROLLED_BACK: (BAD, "failed and rolled back; what runs is as healthy as before"),
    ExitCode.UNHEALTHY: (BAD, "not healthy"),
    ExitCode.INCONCLUSIVE: (LOOK, "inconclusive: health could not be judged"),
    ExitCode.INTERRUPTED: (LOOK, "interrupted"),
}
_BY_OUTCOME = {
    "deployed": "deployed",
    "unchanged": "nothing to do: it runs already",
    "rolled_back": "rolled back",
    "failed": "failed",
}
_VERDICT = {
    "healthy": ", healthy",
    "unchecked": ", not checked: no endpoint is configured",
    "unhealthy": ", but not healthy",
    "inconclusive": ", but health could not be judged",
}


def verdict_of(document: Document) -> str:
    """One line of Markdown: sign, command, commit, environment, and the outcome in words."""
    sign, words = _ending(document)
    return f"### {sign} {_name(document)}: {words}"


def _name(document: Document) -> str:
    release = document.get("release") or {}
    sha = release.get("sha") or document.get("sha")
    known = document["command"] not in ("status", "check") and sha
    what = f" {commit(str(sha)[:_MOST])}" if known else ""
    where = f" on {code(document['environment'][:_MOST])}" if document["environment"] else ""
    return f"{inline(document['command'][:_MOST]) or 'deploykit'}{what}{where}"


def _ending(document: Document) -> tuple[str, str]:
    ended = document["exit_code"]
    if document["command"] == "check" and ended == ExitCode.UNHEALTHY:
        down = [each for each in document["endpoints"] if each["ok"] is False and each["severity"] == "error"]
        return BAD, f"not healthy: {len(down)} of {len(document['endpoints'])} endpoints are down"
    if ended != ExitCode.OK:
        return _BY_CODE.get(ended, (BAD, f"failed with exit code {int(ended)}"))
    tellers = {"plan": _plan, "check": _check, "status": _status}
    teller = _lock if document["command"].startswith("lock") else tellers.get(document["command"], _run)
    return teller(document)


def _run(document: Document) -> tuple[str, str]:
    verdict = (document.get("release") or {}).get("verdict")
    words = _BY_OUTCOME.get(document.get("outcome") or "", "done")
    return LOOK if verdict in ("unhealthy", "inconclusive") else GOOD, words + _VERDICT.get(verdict or "", "")


def _plan(document: Document) -> tuple[str, str]:
    refusals = len(document["refusals"])
    if refusals:
        return LOOK, f"deploy would refuse, for {refusals} reason{'s' if refusals > 1 else ''}"
    if document["outcome"] == "unchanged":
        return GOOD, "nothing to do"
    changed = sum(service["rolls_out"] for service in document["services"].values())
    return GOOD, f"deploy would change {changed} of {len(document['services'])} services"


def _check(document: Document) -> tuple[str, str]:
    count = len(document["endpoints"])
    if not count:
        return LOOK, "no endpoint is configured"
    warned = sum(each["ok"] is not True for each in document["endpoints"])
    return (LOOK, f"healthy, but look at {warned} of {count} endpoints") if warned else (GOOD, "healthy")


def _status(document: Document) -> tuple[str, str]:
    release = document["release"]
    trouble = [name for name in ("drift", "unfinished", "hold") if document[name]]
    said = {"drift": "what runs is not what was released", "unfinished": "a run is not finished", "hold": "frozen"}
    if trouble:
        return LOOK, "; ".join(said[name] for name in trouble)
    if release["id"] is None and release["sha"] is None:
        return LOOK, "what runs is not one release of deploykit"
    verdict = release["verdict"] or "unknown"
    return GOOD if verdict in ("healthy", "unchecked") else LOOK, f"{commit(release['sha'])} runs, {inline(verdict)}"


def _lock(document: Document) -> tuple[str, str]:
    found = [word for name, word in (("hold", "deploys are frozen"), ("lease", "a run holds it")) if document[name]]
    if not found:
        return GOOD, "nothing keeps deploys out" if document["note"] else "free"
    asked = document["command"] == "lock hold"
    return GOOD if asked else LOOK, "; ".join(found)
