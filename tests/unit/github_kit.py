"""Documents of commands, and how GitHub's runner reads what a step leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from deploykit.errors import Problem, UsageError
from deploykit.model.release import Outcome, Verdict
from deploykit.model.report import RunReport
from deploykit.report import github
from deploykit.report import json as documents
from deploykit.report.github_summary import fitting, summary_of
from tests.unit.test_report_json import REPORT

SITE = "https://shop.example"
ON = {"GITHUB_ACTIONS": "true"}
GOOD = replace(REPORT, outcome=Outcome.DEPLOYED, exit_code=0, message="", hint="", findings=())
GOOD = replace(GOOD, release=replace(REPORT.release, verdict=Verdict.HEALTHY))


def document_of(report: RunReport, command: str = "deploy", **more: Any) -> dict[str, Any]:
    head = documents.envelope(command, "dev", report.exit_code, 95.0, {"ecs:A": 3, "s3:B": 4})
    made: dict[str, Any] = json.loads(documents.write({**head, **documents.run_part(report), **more}))
    return made


def failed(command: str, code: int, message: str = "no", hint: str = "", *problems: Problem) -> dict[str, Any]:
    error = documents.error_part(message, hint, UsageError(message, hint, problems))
    part = {**documents.empty_part(command, code), "error": error}
    return {**documents.envelope(command, "dev", code, 1.0, {}), **part}


def markdown(document: Mapping[str, Any], site: str | None = SITE) -> str:
    return fitting(summary_of(document, site), github.MOST_BYTES, 0)


def outputs(text: str) -> dict[str, str]:
    """As the runner reads them."""
    found: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if match := re.fullmatch(r"(\w+)<<(\w+)", line):
            value = []
            for inner in lines:
                if inner == match[2]:
                    break
                value.append(inner)
            found[match[1]] = "\n".join(value)
        elif line:
            name, _, single = line.partition("=")
            found[name] = single
    return found


def runner_finds_a_command(log: str) -> bool:
    """As the runner reads a step's output: ``::`` first on a line after white space, ``##[`` anywhere."""
    return any(line.lstrip().startswith("::") or "##[" in line for line in re.split(r"\r\n|\r|\n", log))
