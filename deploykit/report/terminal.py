"""Progress on a terminal: a live line for each subject, and lasting lines above them."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from deploykit.model.progress import Progress
from deploykit.report.github_commands import GitHubStream, GroupedProgress, on_github
from deploykit.report.plain import PlainProgress, said_yes
from deploykit.report.stream import PeopleStream
from deploykit.report.style import Style, is_terminal, wants_colour

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live


class Screen(Progress, Protocol):
    """A Progress that can also ask, and whose live lines must be removed at the end."""

    def ask(self, question: str, answer: Callable[[], str]) -> bool:
        """Ask ``question`` and read one line with ``answer``; True for yes."""

    def close(self) -> None:
        """Remove live lines; may be called twice."""


def screen_for(stream: TextIO, environ: Mapping[str, str], now: Callable[[], datetime]) -> Screen:
    """Live lines where ``stream`` is a terminal, else plain lines with the time. Only the former loads rich.

    On GitHub the plain lines of each step are a group.
    """
    if is_terminal(stream, environ):
        return LiveProgress(stream, colour=wants_colour(stream, environ), now=now)
    if on_github(environ):
        return GroupedProgress(GitHubStream(stream), now, Style(False))
    return PlainProgress(PeopleStream(stream), now, Style(False))


class LiveProgress:
    """Live lines with a spinner and seconds; ``say`` about a subject removes its live line.

    There are two locks, because the display's thread asks for the live lines while it holds a lock of its own:
    ``_state`` is held briefly and never while drawing; ``_drawing`` lets one thread of the run draw at a time.
    """

    def __init__(self, stream: TextIO, colour: bool, now: Callable[[], datetime]) -> None:
        from rich.console import Console
        from rich.spinner import Spinner

        self._console = Console(file=stream, no_color=not colour, highlight=False, markup=False, emoji=False)
        self._spinner = Spinner("dots", style="cyan")
        self._now = now
        self._lines: dict[str, tuple[str, datetime]] = {}  # subject → its state, and since when it is live
        self._began: dict[str, datetime] = {}
        self._display: Live | None = None
        self._gone = False
        self._state = threading.Lock()
        self._drawing = threading.RLock()

    def step(self, name: str) -> None:
        with self._state:
            self._lines.clear()
            self._began.clear()
        self._print(("\n", ""), (name, "bold"))

    def say(self, text: str, subject: str = "") -> None:
        with self._state:
            self._lines.pop(subject, None)
        self._print(*_about(subject), (text, ""))

    def live(self, subject: str, text: str) -> None:
        with self._state:
            if text:
                self._lines[subject] = (text, self._began.setdefault(subject, self._now()))
            else:
                self._lines.pop(subject, None)
        self._start_or_stop()

    def warn(self, text: str, subject: str = "") -> None:
        self._print(*_about(subject), (f"warning: {text}", "yellow"))

    def command(self, argv: Sequence[str]) -> None:
        self._print((f"+ {shlex.join(argv)}", "dim"))

    def ask(self, question: str, answer: Callable[[], str]) -> bool:
        self.close()
        self._console.print(question, end=" ")
        return said_yes(answer())

    def close(self) -> None:
        with self._state:
            self._lines.clear()
        self._start_or_stop()

    def _picture(self) -> RenderableType:
        """The live lines; the display's thread asks for them several times a second."""
        from rich.table import Table
        from rich.text import Text

        with self._state:
            lines = dict(self._lines)
        now = self._now()
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        grid.add_column(no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        grid.add_column(overflow="fold", ratio=1)  # on a narrow terminal only this column wraps
        for subject, (text, began) in lines.items():
            seconds = f"{(now - began).total_seconds():.0f}s"
            grid.add_row(self._spinner, Text(subject, "bold"), Text(seconds, "dim"), Text(text.replace("\n", " ")))
        return grid

    def _print(self, *parts: tuple[str, str]) -> None:
        from rich.text import Text

        with self._drawing:
            self._start_or_stop()
            self._guarded(lambda: self._console.print(Text.assemble(*parts)))

    def _start_or_stop(self) -> None:
        """Show the display exactly while there are live lines."""
        from rich.live import Live

        with self._drawing:
            if self._lines and self._display is None:
                self._display = Live(
                    get_renderable=self._picture,
                    console=self._console,
                    refresh_per_second=8,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                display = self._display
                self._guarded(lambda: display.start(refresh=True))
            elif not self._lines and self._display is not None:
                display, self._display = self._display, None
                self._guarded(display.stop)

    def _guarded(self, draw: Callable[[], None]) -> None:
        if self._gone:
            return
        try:
            draw()
        except (OSError, ValueError):  # a closed terminal does not stop a release
            self._gone = True


def _about(subject: str) -> list[tuple[str, str]]:
    return [(f"{subject.ljust(10)} ", "bold")] if subject else []
