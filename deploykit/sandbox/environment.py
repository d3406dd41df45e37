"""A virtual environment for MiniStack, apart from deploykit's: MiniStack pins botocore."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

from deploykit.errors import OutOfReach
from deploykit.model.hint import Hint, command
from deploykit.sandbox import places

LOCK = Path(__file__).with_name("requirements.lock")

#: What pip says when it cannot reach the package index.
OFFLINE = ("NewConnectionError", "Could not fetch URL", "Failed to establish", "name resolution", "No matching")


def python(say: Callable[[str], None]) -> Path:
    """The Python interpreter of MiniStack's environment, which is installed first if it is missing.

    Its folder is named after the lock file and this interpreter; once it exists, neither pip nor the network is used.
    Raises OutOfReach when it cannot be installed.
    """

    def install(folder: Path) -> None:
        say("installing MiniStack (once, about 25 MB)")
        venv.EnvBuilder(symlinks=True).create(folder)
        if problem := pip_install(folder / "bin" / "python", LOCK):
            raise _cannot_install(problem)

    kind = f"{sys.implementation.cache_tag} {platform.system()} {platform.machine()} {sys.base_prefix}"
    key = hashlib.sha256(LOCK.read_bytes() + kind.encode()).hexdigest()[:16]
    return once(places.cache() / f"ministack-{key}", install) / "bin" / "python"


def once(home: Path, install: Callable[[Path], None]) -> Path:
    """Return ``home``, which ``install`` fills first if it does not exist; a second run meanwhile waits.

    The folder that ``install`` fills is renamed at the end: a folder with the final name is complete.
    """
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            unfinished = home.with_name(f"{home.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            try:
                install(unfinished)
                unfinished.rename(home)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return home


def pip_install(python: Path, requirements: Path, *more: str) -> str:
    """Install for ``python`` what ``requirements`` pins by hash, from wheels only; return why it failed, else empty."""
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile")
    pinned = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements))
    with tempfile.TemporaryDirectory(prefix="deploykit-") as folder:
        runs = sys.executable
        if importlib.util.find_spec("pip") is None:  # then pip comes from a throwaway environment
            venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
            runs = f"{folder}/bin/python"
        command = [runs, "-m", "pip", "--python", str(python), "install", *quiet, *pinned, *more]
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
