"""Child processes that end when we do: by Ctrl-C, by an error, or killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploykit.errors import OutOfReach

_INSTALL = {
    "docker": "install Docker (https://docs.docker.com/engine/install/), or put its client on PATH",
    "git": "install git (https://git-scm.com/downloads), or put it on PATH",
}

# A killed deploykit cannot stop its children, so the kernel does. A small Python sets the flag and becomes the program;
# preexec_fn may deadlock in a process with threads. Linux only: prctl(2), PR_SET_PDEATHSIG.
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    os._exit(143)
os.execv(sys.argv[2], sys.argv[2:])
"""

_GRACE = 5.0  # seconds from SIGTERM to SIGKILL; docker's clients end within 0.1


@dataclass(frozen=True)
class Finished:
    """How a child ended. ``output`` is stdout (and stderr too where it was followed), ``errors`` is stderr."""

    code: int
    output: str
    errors: str = ""


class Stopped(Exception):
    """``Children.stop`` ended the child: it neither failed nor succeeded."""


class Children:
    """The child processes of one piece of work, started from any thread, each in a session of its own.

    So Ctrl-C at a terminal reaches deploykit only, which decides what to end, and in which order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def follow(
        self, argv: Sequence[str], on_line: Callable[[str], None], *, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run ``argv`` and pass each line of stdout and stderr to ``on_line`` as it comes.

        Raises: OutOfReach (the program is missing), Stopped.
        """
        lines: list[str] = []
        with self._child(_bound_to_us(_found(argv, env)), env) as child:
            assert child.stdout is not None  # noqa: S101 (asked for with PIPE)
            for line in child.stdout:
                lines.append(line)
                on_line(line.rstrip("\n"))
            code = child.wait()
        if self._stopped:
            raise Stopped
        return Finished(code, "".join(lines))

    def stop(self) -> None:
        """End every live child and its group; none can begin any more."""
        with self._lock:
            self._stopped = True
            live = list(self._live)
        for child in live:
            _signal(child, signal.SIGTERM)
        for child in live:
            _end(child)

    @contextlib.contextmanager
    def _child(self, argv: Sequence[str], env: Mapping[str, str] | None) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self._stopped:
                raise Stopped
            child = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
            self._live.add(child)
        try:
            with child:
                try:
                    yield child
                except BaseException:
                    _end(child)
                    raise
        finally:
            with self._lock:
                self._live.discard(child)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: str = "",
    umask: int = -1,
    timeout: float | None = None,
) -> Finished:
    """Run a short command to its end. File names that are not UTF-8 pass through unchanged.

    ``timeout`` (seconds) counts as exit code 124, as with timeout(1). Raises: OutOfReach (the program is missing).
    """
    with subprocess.Popen(
        _found(argv, env),
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        umask=umask,
        start_new_session=True,
    ) as child:
        try:
            output, errors = child.communicate(os.fsencode(input), timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(child)
            return Finished(124, "", f"no answer within {timeout:g} s")
        except BaseException:
            _end(child)
            raise
    return Finished(child.returncode, os.fsdecode(output), errors.decode("utf-8", "replace"))


def _found(argv: Sequence[str], env: Mapping[str, str] | None) -> list[str]:
    program = argv[0]
    path = shutil.which(program, path=(os.environ if env is None else env).get("PATH"))
    if path is None:
        raise OutOfReach(f"{program} is not installed, or not on PATH", _INSTALL.get(program, f"install {program}"))
    return [path, *argv[1:]]


def _bound_to_us(argv: Sequence[str]) -> list[str]:
    if sys.platform != "linux":
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *argv]


def _signal(child: subprocess.Popen[str] | subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _end(child: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    _signal(child, signal.SIGTERM)
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)
        child.wait()
