"""A virtual environment for MiniStack, apart from deploykit's: MiniStack pins botocore."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploykit.errors import OutOfReach
from deploykit.model.hint import Hint, command
from deploykit.sandbox import places

LOCK = Path(__file__).with_name("requirements.lock")

#: What pip says when it cannot reach the package index.
OFFLINE = ("NewConnectionError", "Could not fetch URL", "Failed to establish", "name resolution", "No matching")


def python(say: Callable[[str], None]) -> Path:
    """The Python interpreter of MiniStack's environment, which is installed first if it is missing.

    Its folder is named for the lock file and this interpreter; once it exists, neither pip nor the network is used.
    Raises OutOfReach when it cannot be installed.
    """
    home = places.cache() / f"ministack-{_key()}"
    interpreter = home / "bin" / "python"
    if interpreter.exists():
        return interpreter
    with _alone(places.cache()):
        if not interpreter.exists():
            say("installing MiniStack (once, about 25 MB)")
            _install(home)
    return interpreter


def _key() -> str:
    kind = f"{sys.implementation.cache_tag} {platform.system()} {platform.machine()} {sys.base_prefix}"
    return hashlib.sha256(LOCK.read_bytes() + kind.encode()).hexdigest()[:16]


def _install(home: Path) -> None:
    """Install under a temporary name, then rename: a folder with the final name is complete."""
    unfinished = home.with_name(f"{home.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with_pip = importlib.util.find_spec("pip") is None
    venv.EnvBuilder(with_pip=with_pip, symlinks=True).create(unfinished)
    inside = str(unfinished / "bin" / "python")
    pip = [inside, "-m", "pip"] if with_pip else [sys.executable, "-m", "pip", "--python", inside]
    if problem := pip_install(pip, LOCK):
        shutil.rmtree(unfinished, ignore_errors=True)
        raise _cannot_install(problem)
    unfinished.rename(home)


def pip_install(pip: list[str], requirements: Path, *more: str) -> str:
    """Install what ``requirements`` pins by hash, from wheels only; what pip said where it failed, else empty."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile")
    pinned = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements))
    command = [*pip, "install", *quiet, *pinned, *more]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return (done.stderr.strip() or "pip gave no reason") if done.returncode else ""


def _cannot_install(output: str) -> OutOfReach:
    if any(sign in output for sign in OFFLINE):
        up = command("sandbox up")
        return OutOfReach(
            "MiniStack, which the sandbox needs, is not installed, and the package index cannot be reached",
            Hint("connect to the network or set PIP_INDEX_URL, then run ", up, "; later runs need no network"),
        )
    return OutOfReach(
        f"MiniStack cannot be installed: {output.splitlines()[-1]}",
        f"see what pip says: `python3 -m pip download --require-hashes --no-deps -r {LOCK}`",
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: of two runs at the same time, one installs and the other waits for it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
