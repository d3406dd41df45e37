"""``deploykit demo``: releases, failures and a rollback on a small platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploykit.cli.options import command
from deploykit.cli.run import Result, Run
from deploykit.errors import UsageError


def add_to(app: typer.Typer) -> None:
    @command(app, "demo", continues=True)
    def demo(
        run: Run,
        keep: Annotated[bool, typer.Option("--keep", help="Leave the platform up afterwards.")] = False,
        svg: Annotated[str | None, typer.Option("--svg", metavar="FILE", help="Save the output as a picture.")] = None,
    ) -> Result:
        """The whole story, on a small local platform.

        Releases, failures and a rollback, in the sandbox. Exit 1 when a chapter does not end as expected.
        """
        from deploykit.demo import story
        from deploykit.report.picture import Recorder

        if svg is not None and not Path(svg).resolve().parent.is_dir():
            raise UsageError(f"--svg {svg}: the folder does not exist", f"make it first: mkdir -p {Path(svg).parent}")
        recorder = Recorder(run.screen)
        told = story.tell(recorder, keep=keep)
        if svg is not None:
            Path(svg).write_text(recorder.picture("deploykit demo"), encoding="utf-8")
        return Result(told.exit_code, told.document)
