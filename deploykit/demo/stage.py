"""The demo's own folder, repository and sandbox, all removed at its end."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploykit.demo.chapters import Scene
from deploykit.demo.commands import Commands
from deploykit.demo.repository import make_repository
from deploykit.demo.site import Site
from deploykit.model.progress import Progress
from deploykit.sandbox import engine, images, process

_PREFIX = "deploykit-demo-"
_KEPT = "kept"


@dataclass(frozen=True)
class Stage:
    """A sandbox that is up, with nothing released yet."""

    folder: Path
    scene: Scene
    load_balancer: str

    def keep(self) -> None:
        """Leave everything as it is when the demo ends."""
        (self.folder / _KEPT).touch()


@contextmanager
def set_up(progress: Progress) -> Iterator[Stage]:
    """A stage for the length of a ``with``; its end removes it, whatever happens, unless it was kept.

    Raises OutOfReach (no Docker, no git, no network to install with), FailedBefore.
    """
    engine.require()
    _sweep(progress)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with _held(folder):
        commands = Commands(folder / "harbour" / "deploykit.toml")
        try:
            base = images.python_base(progress.say)
            repository = make_repository(folder / "harbour", base)
            progress.say(f"starting a local AWS for {repository.configuration}")
            commands.demand("sandbox", "up", heard=lambda text: progress.live("", f"│ {text}"))
            progress.live("", "")
            commands.use_sandbox()
            where = commands.demand("sandbox", "status")
            site = Site(where["url"], where["connect_to"])
            scene = Scene(commands, repository, site, f"{where['endpoint_url']}/_deploykit/faults")
            yield Stage(folder, scene, where["load_balancer"])
        finally:
            if not (folder / _KEPT).exists():
                _remove(folder, commands, progress)


def _remove(folder: Path, commands: Commands, progress: Progress) -> None:
    with _undisturbed():
        if commands.configuration.exists():
            ended = commands.run("sandbox", "down")
            if ended.code:
                progress.warn(f"the sandbox was not removed; run: `{_down(commands.configuration)}`")
                return
        shutil.rmtree(folder, ignore_errors=True)


def how_to_look(stage: Stage) -> list[str]:
    """How to look at a kept stage, and how to remove it."""
    configuration = stage.scene.repository.configuration
    return [
        f"http://{stage.scene.site.connect_to}/ is the site; http://{stage.load_balancer}/ bypasses its cache",
        f"cd {configuration.parent}",
        'eval "$(deploykit sandbox env)"; deploykit status; deploykit history',
        f"{_down(configuration)} && rm -r {stage.folder}   # when you are done",
    ]


def _down(configuration: Path) -> str:
    return f"deploykit --config {configuration} sandbox down"


def _sweep(progress: Progress) -> None:
    """Remove what this user's killed demos left: folders that no demo holds and nobody kept."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if folder.is_dir() and folder.stat().st_uid == os.getuid() and not (folder / _KEPT).exists():
            with _held(folder) as ours:
                if ours:
                    commands = Commands(folder / "harbour" / "deploykit.toml")
                    process.kill_naming(str(commands.configuration))  # a command that outlived its demo
                    _remove(folder, commands, progress)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock, which even a killed process releases; False when another demo holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM, so that a second one does not stop the removal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
