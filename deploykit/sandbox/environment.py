"""MiniStack in an environment of its own: it pins botocore, which would otherwise pin deploykit's."""

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

#: What pip says when it is the network, and not the requirement, that is missing.
OFFLINE = ("NewConnectionError", "Could not fetch URL", "Failed to establish", "name resolution", "No matching")


def python(say: Callable[[str], None]) -> Path:
    """The interpreter of MiniStack's environment, which is installed first if it is not there.

    Keyed by the lock file and the interpreter; with the environment there, neither pip nor the network is asked.
    Raises OutOfReach when it has to be installed and cannot be.
    """
    home = places.cache() / f"ministack-{_key()}"
    interpreter = home / "bin" / "python"
    if interpreter.exists():
        return interpreter
    with _alone(places.cache()):
        if not interpreter.exists():
            say("Installing MiniStack (once, about 25 MB)")
            _install(home)
    return interpreter


def _key() -> str:
    kind = f"{sys.implementation.cache_tag} {platform.system()} {platform.machine()} {sys.base_prefix}"
    return hashlib.sha256(LOCK.read_bytes() + kind.encode()).hexdigest()[:16]


def _install(home: Path) -> None:
    """Build under a temporary name and rename: what has the final name is whole."""
    unfinished = home.with_name(f"{home.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with_pip = importlib.util.find_spec("pip") is None
    venv.EnvBuilder(with_pip=with_pip, symlinks=True).create(unfinished)
    inside = str(unfinished / "bin" / "python")
    pip = [inside, "-m", "pip"] if with_pip else [sys.executable, "-m", "pip", "--python", inside]
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-deps",
               "--only-binary", ":all:", "--require-hashes", "--requirement", str(LOCK)]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise _cannot_install(done.stderr)
    unfinished.rename(home)


def _cannot_install(output: str) -> OutOfReach:
    lines = [line for line in output.splitlines() if line.strip()]
    if any(sign in output for sign in OFFLINE):
        up = command("sandbox up", ticks=False)
        return OutOfReach(
            "MiniStack, which the sandbox runs on, is not installed and the package index cannot be reached.",
            Hint("Connect to the network (or set PIP_INDEX_URL) and run: ", up, ". Later runs need no network."),
        )
    return OutOfReach(
        f"MiniStack cannot be installed: {lines[-1] if lines else 'pip failed without a word'}",
        f"See what pip says: python3 -m pip download --require-hashes --no-deps -r {LOCK}",
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: of two runs at once, one installs and the other finds it done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
