"""What GitHub gets of a command: the job summary, the outputs of the step, and annotations.

All of it is made from the JSON document that ``--json`` prints, whether it was asked for or not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit, urlunsplit

from deploykit.report.github_commands import GitHubStream, annotations_of, on_github, people_stream
from deploykit.report.github_summary import fitting, summary_of

Document = Mapping[str, Any]
MOST_BYTES = 1024 * 1024  # of the summary of one step; GitHub drops a longer one as a whole
_RESERVE = 64 * 1024  # kept free of details, so that the verdicts of later commands fit as well
_SILENT = {"", "demo", "history", "init", "logs", "sandbox", "schema"}  # only what goes wrong is told
_MASKED = re.compile(r"\barn:aws|\.dkr\.ecr[.-]|(?<!\d)\d{12}(?!\d)")  # what a workflow may have masked


def tell(document: Document, environ: Mapping[str, str], stream: TextIO, site: str | None = None) -> None:
    """Write summary and outputs, and the annotations to ``stream``. ``site``: the URL of the environment's site.

    A file that cannot be written is a warning: what GitHub shows does not change how a command ended.
    """
    people = people_stream(stream, environ)
    if (document["command"] or "").partition(" ")[0] not in _SILENT or document["exit_code"]:
        for name, write in (("GITHUB_STEP_SUMMARY", _summary), ("GITHUB_OUTPUT", _outputs)):
            if path := environ.get(name):
                try:
                    write(path, document, site)
                except OSError as error:
                    people.line(f"warning: {name} could not be written: {error}")
    if isinstance(people, GitHubStream) and on_github(environ):
        for line in annotations_of(document, environ):
            people.tell(line)


def outputs_of(document: Document, site: str | None) -> dict[str, str]:
    """The outputs by name; empty where a value is unknown, or may contain what a workflow masks.

    GitHub drops an output that contains a masked value, so no registry, account or ARN may be in one.
    """
    release = document.get("release") or {}
    values = {
        "outcome": document.get("outcome"),
        "sha": release.get("sha") or document.get("sha"),
        "previous": release.get("previous_sha"),
        "url": _public(site),
        "release": release.get("id"),
    }
    return {name: str(value or "") for name, value in values.items()}


def _summary(path: str, document: Document, site: str | None) -> None:
    try:
        there = Path(path).stat().st_size
    except FileNotFoundError:
        there = 0
    text = fitting(summary_of(document, _public(site)), MOST_BYTES - there, _RESERVE)
    if not text:
        raise OSError(f"{path} has {there} bytes already, and GitHub shows at most {MOST_BYTES}")
    _append(path, text)


def _outputs(path: str, document: Document, site: str | None) -> None:
    lines = [""]  # what wrote there before us may have left its line open; an empty one means nothing
    for name, value in outputs_of(document, site).items():
        end = secrets.token_hex(16)  # nobody can know it, so no value can end early and set an output of its own
        lines += [f"{name}<<{end}", value, end]
    _append(path, "\n".join(lines) + "\n")


def _append(path: str, text: str) -> None:
    with Path(path).open("ab") as file:
        file.write(text.encode("utf-8", "replace"))


def _public(site: str | None) -> str | None:
    """The site's URL without a user's name and password; None where it shows what a workflow may have masked."""
    if not site:
        return None
    parts = urlsplit(site)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return None if _MASKED.search(url) else url
