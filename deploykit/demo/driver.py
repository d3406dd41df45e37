"""The PostgreSQL driver that the platform's API needs, installed once and copied from then on."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
import tempfile
import venv
from pathlib import Path

from deploykit.errors import OutOfReach
from deploykit.model.hint import Hint, command
from deploykit.sandbox import environment, places


def copy_driver(requirements: Path, target: Path) -> None:
    """Copy what ``requirements`` pins by hash to the folder ``target``, which must not exist.

    Once it is installed, neither pip nor the network is used. Raises OutOfReach when it cannot be installed.
    """
    home = places.cache() / f"demo-driver-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if not home.is_dir():
        _install(requirements, home)
    shutil.copytree(home, target)


def _install(requirements: Path, home: Path) -> None:
    """Install under a temporary name, then rename: a folder with the final name is complete."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="demo-driver-", dir=home.parent) as folder:
        unfinished = Path(folder) / "driver"
        problem = environment.pip_install(_pip(Path(folder)), requirements, "--target", str(unfinished))
        if problem:
            raise OutOfReach(
                f"the demo's PostgreSQL driver cannot be installed: {problem.splitlines()[-1]}",
                Hint("connect to the network or set PIP_INDEX_URL, then run ", command("demo"), ", once"),
            )
        for scripts in unfinished.glob("bin"):
            shutil.rmtree(scripts)
        if not home.exists():  # another demo may have been faster
            unfinished.rename(home)


def _pip(folder: Path) -> list[str]:
    """A pip to run: this environment's, or one in a throwaway environment where this has none."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder / "environment")
    return [str(folder / "environment" / "bin" / "python"), "-m", "pip"]
