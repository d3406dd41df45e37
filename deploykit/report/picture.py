"""The lasting lines of a run as an SVG picture of a terminal, for a README."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from deploykit.model.progress import Progress

_WIDTH = 118  # columns
_MARKS = {"✓": "green", "✗": "bold red", "→": "cyan"}


class Recorder:
    """A Progress that passes everything on to another one, and records the lasting lines."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lines: list[tuple[str, str, str]] = []  # kind, subject, text

    def step(self, name: str) -> None:
        self._lines.append(("step", "", name))
        self._progress.step(name)

    def say(self, text: str, subject: str = "") -> None:
        self._lines.append(("say", subject, text))
        self._progress.say(text, subject)

    def live(self, subject: str, text: str) -> None:
        self._progress.live(subject, text)

    def warn(self, text: str, subject: str = "") -> None:
        self._lines.append(("warn", subject, text))
        self._progress.warn(text, subject)

    def command(self, argv: Sequence[str]) -> None:
        self._lines.append(("command", "", shlex.join(argv)))
        self._progress.command(argv)

    def picture(self, title: str) -> str:
        """Everything said so far as the text of an SVG file."""
        import io

        from rich.console import Console
        from rich.text import Text

        console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
        for kind, subject, text in self._lines:
            if kind == "step":
                console.print()
            style = {"step": "bold", "warn": "yellow", "command": "dim"}.get(kind, _MARKS.get(text[:1], ""))
            head = Text(f"{subject.ljust(10)} " if subject else "", "bold blue")
            console.print(Text.assemble(head, (("+ " if kind == "command" else "") + text, style)))
        picture = console.export_svg(title=title)
        # the picture must load nothing from elsewhere, so the font is whatever monospace font is there
        return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
