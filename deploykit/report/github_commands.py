"""What GitHub's runner reads in a step's log: its own commands, and everything else made safe from being one.

Whatever a step writes to stdout or stderr is searched for commands: ``::name …::`` at the beginning of a line, after
any white space, and the older ``##[name …]`` anywhere in it. So white space in front does not make a line safe.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from deploykit.errors import ExitCode
from deploykit.model.hint import PROGRAM
from deploykit.report.plain import PlainProgress
from deploykit.report.stream import PeopleStream
from deploykit.report.style import Style

Document = Mapping[str, Any]
MOST = 10  # annotations of a kind that GitHub shows for one step
_LONGEST = 4000  # characters of an annotation; the runner cuts at 4096
_COMMAND = re.compile(r"(\A|[\r\n])([^\S\r\n]*\ufeff*[^\S\r\n]*)(?=::)")
_OLD = "##["


def on_github(environ: Mapping[str, str]) -> bool:
    """True in a step of GitHub Actions."""
    return environ.get("GITHUB_ACTIONS") == "true"


def disarmed(text: str) -> str:
    """``text`` as people still read it, in which the runner finds no command."""
    return _COMMAND.sub(r"\1\2| ", text).replace(_OLD, "## [")


def disarmed_json(text: str) -> str:
    """The same for a JSON document, whose value stays as it is: ``##[`` can only stand in a string."""
    return text.replace(_OLD, "#\\u0023[")


class GitHubStream(PeopleStream):
    """Lines for people in a step's log: none of them is a command, except what goes through ``tell``."""

    def line(self, text: str = "") -> None:
        super().line(disarmed(text))

    def tell(self, command: str) -> None:
        """A command to the runner, on a line of its own."""
        super().line(command)


def people_stream(
    stream: TextIO, environ: Mapping[str, str], width: Callable[[], int | None] = lambda: None
) -> PeopleStream:
    """Where lines for people go: as they are, or on GitHub without commands in them."""
    return GitHubStream(stream, width) if on_github(environ) else PeopleStream(stream, width)


class GroupedProgress(PlainProgress):
    """Plain lines, in which each step is a group that GitHub's log can fold."""

    def __init__(self, stream: GitHubStream, now: Callable[[], datetime], style: Style) -> None:
        super().__init__(stream, now, style)
        self._github = stream
        self._open = False

    def announce(self, name: str) -> None:
        self.close()
        self._open = True
        self._github.tell(f"::group::{_data(disarmed(name))}")

    def close(self) -> None:
        if self._open:
            self._open = False
            self._github.tell("::endgroup::")


def annotations_of(document: Document, environ: Mapping[str, str]) -> list[str]:
    """The commands that mark problems: an error for each place in a file, else one for a command that ended badly;
    a warning for each finding of that severity, and for what a plan warns of or would refuse. At most ten of a kind.
    """
    return _most(_errors(document, environ)) + _most(_warnings(document))


def _errors(document: Document, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Kind, properties (beginning with a space) and message of each."""
    named, error = _title(document), document.get("error")
    if error is None:
        if document["exit_code"] == ExitCode.OK:
            return []
        down = [each for each in document.get("endpoints", ()) if each["ok"] is False and each["severity"] == "error"]
        texts = [f"{each['id']}: {'; '.join(each['failures'])}" for each in down]
        texts = texts or [document.get("reason") or f"exit code {document['exit_code']}"]
        return [("error", f" {named}", text) for text in texts]
    if placed := [problem for problem in error["problems"] if problem["file"]]:
        return [("error", f" {_place(problem, environ)},{named}", problem["message"]) for problem in placed]
    others = [problem["message"] for problem in error["problems"]]
    text = "\n".join(part for part in (error["message"], *others, error["hint"]) if part)
    return [("error", f" {named}", text)]


def _warnings(document: Document) -> list[tuple[str, str, str]]:
    found = [
        "\n".join(part for part in (finding["summary"], finding["hint"]) if part)
        for finding in document.get("findings", ())
        if finding["severity"] == "warning"
    ]
    found += document.get("warnings", ())
    found += [f"deploy would refuse: {text}" for text in document.get("refusals", ())]
    return [("warning", f" {_title(document)}", text) for text in found]


def _most(found: Sequence[tuple[str, str, str]]) -> list[str]:
    """The first ten; the last of them says how many more there are."""
    left = len(found) - MOST
    lines = []
    for number, (kind, properties, message) in enumerate(found[:MOST], 1):
        more = f"\n(and {left} more {kind}s)" if left > 0 and number == MOST else ""
        cut = message if len(message) <= _LONGEST else message[:_LONGEST] + "…"
        lines.append(f"::{kind}{properties}::{_data(disarmed(cut + more))}")
    return lines


def _title(document: Document) -> str:
    name = f"{PROGRAM} {document['command']}".strip()
    return f"title={_property(name)}"


def _place(problem: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    line = f",line={int(problem['line'])}" if problem["line"] else ""
    return f"file={_property(_in_workspace(problem['file'], environ))}{line}"


def _in_workspace(file: str, environ: Mapping[str, str]) -> str:
    """The path as GitHub knows it, from the workspace; a file that lies elsewhere keeps its own."""
    workspace = environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return file
    path, root = Path(os.path.realpath(file)), Path(os.path.realpath(workspace))
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(disarmed(text)).replace(":", "%3A").replace(",", "%2C")
