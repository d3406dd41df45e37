"""Docker through its command line, as the sandbox needs it: images made, containers found by label and removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import Any

from deploykit.errors import FailedBefore, OutOfReach
from deploykit.sandbox.settings import INSTANCE_LABEL

#: Label of the images the sandbox makes; its value changes with how they are made, so that old ones are made anew.
RECIPE_LABEL = "deploykit.sandbox.recipe"

#: A sweep is over when nothing was found this often in a row: the engine finishes what a killed client asked for.
QUIET = 3


def run(*arguments: str, text: str | None = None, check: bool = True, seconds: float = 300) -> str:
    """Run one docker command and return what it printed.

    Raises OutOfReach when there is no docker or no engine, FailedBefore when the command itself fails.
    """
    if not shutil.which("docker"):
        raise OutOfReach("Docker is not installed.", "Install a Docker Engine; on Debian: apt-get install docker.io")
    command = ["docker", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode and check:
        problem = done.stderr.strip().splitlines() or ["it failed without a word"]
        if unreachable(done.stderr):
            raise OutOfReach(f"The Docker Engine cannot be reached: {problem[-1]}", "Start it and try: docker info")
        raise FailedBefore(f"docker {arguments[0]} failed: {problem[-1]}", f"Try: {' '.join(command[:4])} …")
    return done.stdout


def unreachable(output: str) -> bool:
    """Whether docker's own words say that the engine, not the command, is the trouble."""
    signs = ("Cannot connect to the Docker daemon", "permission denied", "error during connect", "dial unix")
    return any(sign in output for sign in signs)


def host() -> str:
    """The engine's address, the current context's included, for clients that know no contexts."""
    if given := os.environ.get("DOCKER_HOST"):
        return given
    shown = run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", check=False).strip()
    return shown or "unix:///var/run/docker.sock"


def require() -> None:
    """Raises OutOfReach when there is no engine to talk to."""
    run("version", "--format", "{{.Server.Version}}", seconds=20)


def has_image(name: str, recipe: str = "") -> bool:
    """Whether the engine has an image of this name, made by this recipe if one is given."""
    wanted = ["--filter", f"label={RECIPE_LABEL}={recipe}"] if recipe else []
    return bool(run("image", "ls", "--quiet", "--filter", f"reference={name}", *wanted).strip())


def containers(instance: str) -> list[str]:
    """Ids of all containers of one sandbox, running or not."""
    return run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={INSTANCE_LABEL}={instance}").split()


def sweep(instance: str) -> int:
    """Remove every container of one sandbox with its volumes; returns how many there were."""
    removed = quiet = 0
    while quiet < QUIET:
        found = containers(instance)
        if not found:
            quiet += 1
            if quiet < QUIET:
                time.sleep(0.1)
            continue
        quiet = 0
        run("rm", "--force", "--volumes", *found, check=False)
        removed += len(found)
    return removed


def remove_images(registry: str) -> None:
    """Remove the engine's names, by tag and by digest, for images of a registry that is gone."""
    ids = sorted(set(run("image", "ls", "--all", "--quiet", "--no-trunc", check=False).split()))
    if not ids:
        return
    shown = json.loads(run("image", "inspect", *ids, check=False) or "[]")
    names = {n for image in shown for n in (*(image["RepoTags"] or []), *(image["RepoDigests"] or []))}
    ours = sorted(name for name in names if name.startswith(f"{registry}/"))
    if ours:
        run("image", "rm", *ours, check=False)


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of a container; empty when there is none of that name."""
    shown = json.loads(run("container", "inspect", name, check=False) or "[]")
    return dict(shown[0]) if shown else {}
