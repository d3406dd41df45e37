"""``deploykit demo``: the whole story on a small platform."""

from __future__ import annotations

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run


def add_to(app: typer.Typer) -> None:
    @command(app, "demo", continues="deploykit demo")
    def demo(run: Run) -> Result:
        """The whole story, on a small local platform.

        Releases, failures and the way back, in the sandbox. Exit 1 when a chapter ends otherwise than told.
        """
        from deploykit.demo import story

        return Result(story.tell(run.screen))
