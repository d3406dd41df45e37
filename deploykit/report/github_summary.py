"""A command's JSON document as the Markdown of a job summary, and how much of it fits."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploykit.errors import ExitCode
from deploykit.report import github_views as views
from deploykit.report.github_text import NONE, brief, code, commit, fenced, hint, inline, table
from deploykit.report.github_verdict import verdict_of
from deploykit.report.summary import spoken

Document = Mapping[str, Any]
_RUNS = {"deploy", "rollback", "build", "push", "migrate", "rollout", "invalidate"}
_NOTE = 200  # bytes: room for the line that says what was left out
_NO_LONGER = "*{lines} more lines ({size} KiB) are left out: GitHub shows at most 1 MiB for a step.*"


@dataclass(frozen=True)
class Block:
    """Lines that may be cut at any place; ``end`` closes them wherever that is (the fence of a block of code)."""

    lines: Sequence[str]
    end: str = ""


def summary_of(document: Document, site: str | None) -> list[Block]:
    """The whole summary; its first block is the verdict. ``site``: a URL, or None."""
    command = document["command"]
    blocks = [Block([verdict_of(document), ""])]
    blocks += _error(document.get("error"))
    if command in _RUNS:
        blocks += [Block(_proof(document, site))] if document["exit_code"] != ExitCode.USAGE else []
        blocks += [Block(lines) for lines in (_services(document), _checks(document))]
    elif command == "plan":
        blocks += [Block(lines) for lines in views.plan(document)]
    elif command == "check":
        blocks.append(Block(views.endpoints(document["endpoints"], document.get("reason"))))
    elif command == "status":
        blocks += [Block(lines) for lines in views.status(document)]
    if command == "status" or command.startswith("lock"):
        blocks.append(Block(views.lock(document)))
    for finding in document.get("findings", ()):
        blocks += _finding(finding)
    if command in ("plan", "status"):
        blocks.append(Block([views.way_back(document["way_back"]), ""]))
    return [block for block in blocks if block.lines]


def fitting(blocks: Sequence[Block], room: int, reserve: int) -> str:
    """The text of ``blocks`` in at most ``room`` bytes; empty where not even the verdict fits.

    Details leave ``reserve`` bytes free for the verdicts of later commands. What does not fit is cut at a line.
    """
    verdict, *details = blocks
    head = "\n".join(["", *verdict.lines]) + "\n"
    if _size(head) + _NOTE > room:
        return head if _size(head) <= room else ""
    left = max(room - reserve, 0) - _size(head) - _NOTE
    kept: list[str] = []
    for number, block in enumerate(details):
        fits, used = 0, _size(block.end) + 1
        for line in block.lines:
            used += _size(line) + 1
            if used > left:
                break
            fits += 1
        kept += block.lines[:fits]
        if fits < len(block.lines):
            kept += [block.end] if block.end and fits else []
            out = [*block.lines[fits:], *(line for later in details[number + 1 :] for line in later.lines)]
            note = _NO_LONGER.format(lines=len(out), size=f"{sum(_size(line) + 1 for line in out) / 1024:.1f}")
            return head + "\n".join([*kept, "", note]) + "\n"
        left -= used - _size(block.end) - 1
    return head + "\n".join(kept) + "\n"


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _error(error: Document | None) -> list[Block]:
    if error is None:
        return []
    lines = [inline(error["message"])] + [""] * bool(error["problems"])
    for problem in error["problems"]:
        line = f":{problem['line']}" if problem["line"] else ""
        where = f"{code(problem['file'] + line)} " if problem["file"] else ""
        lines.append(f"- {where}{inline(problem['message'])}")
    return [Block([*lines, *hint(error["hint"]), ""])]


def _proof(document: Document, site: str | None) -> list[str]:
    """Five lines that anybody can check: what runs, what users get, the way back, the time, and the calls."""
    digests = [f"{inline(name)} {brief(service['digest'])}" for name, service in document["services"].items()]
    shas = {service["sha"] for service in document["services"].values()}
    seen = [
        f"{inline(name)} {commit(result['version'])}{_old(result, shas)}"
        for name, result in document["checks"].items()
        if result["version"]
    ]
    at = f" at {code(site)}" if site else ""
    return [
        f"- **runs**: {', '.join(digests) or 'not looked at'}",
        f"- **commit seen**{at}: {', '.join(seen) or 'not looked at'}",
        f"- {views.way_back(document['way_back'])}",
        f"- **took**: {spoken(document['seconds'])}",
        f"- **AWS calls**: {document['api_calls']['total']}",
        "",
    ]


def _old(result: Document, shas: Container[str]) -> str:
    """What is to be known of a commit that an endpoint showed last; after an undo that may be the undone one."""
    if result["stale"]:
        return " (an old version)"
    return "" if result["version"] in shas else " (not what runs now)"


def _services(document: Document) -> list[str]:
    rows = [
        (
            inline(name),
            brief(service["digest"]),
            brief(service["task_definition"]),
            brief(service["previous_task_definition"]),
            commit(service["sha"]),
            "changed" if service["changed"] else "kept",
        )
        for name, service in document["services"].items()
    ]
    return views.titled("What runs", table(("service", "image", "revision", "before", "commit", "changed"), rows))


def _checks(document: Document) -> list[str]:
    rows = [
        (
            inline(name),
            inline(result["class"] or "not judged"),
            _failed(result["before"]),
            _failed(result["after"]),
            views.listed(failure["message"] for failure in result["after"]["failures"][: views.MOST_FAILURES]),
        )
        for name, result in document["checks"].items()
    ]
    return views.titled("Checks", table(("endpoint", "class", "failed before", "failed after", "why"), rows))


def _failed(samples: Document) -> str:
    return f"{samples['failed']} of {samples['samples']}" if samples["samples"] else NONE


def _finding(finding: Document) -> list[Block]:
    sure = "" if finding["confidence"] == "high" else f" ({inline(finding['confidence'])} confidence)"
    named = not finding["subject"] or finding["summary"].startswith(finding["subject"])
    about = "" if named else f"{inline(finding['subject'])}: "
    title = f"**{inline(finding['severity'])}**: {about}{inline(finding['summary'])}{sure}"
    after = [*hint(finding["hint"]), ""]
    if finding["runbook"]:
        after = [*after, f"runbook: {code(finding['runbook'])}", ""]
    if not finding["evidence"]:
        return [Block([title, *after])]
    opened, *quoted, closed = fenced("\n".join(finding["evidence"]))
    return [Block([title, ""]), Block([opened, *quoted, closed], closed), Block(after)]
