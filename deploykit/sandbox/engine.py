"""Docker's command line, as the sandbox needs it: create images, find containers by label, remove them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import Any

from deploykit.errors import FailedBefore, OutOfReach
from deploykit.sandbox.settings import INSTANCE_LABEL

#: Label on the sandbox's images; its value changes with their sources, so that outdated images are built again.
RECIPE_LABEL = "deploykit.sandbox.recipe"

#: What docker says when the engine, not the command, failed.
UNREACHABLE = ("Cannot connect to the Docker daemon", "permission denied", "error during connect", "dial unix")

#: A sweep ends after this many empty listings in a row: the engine still completes requests of a killed client.
QUIET = 3


def run(*arguments: str, text: str | None = None, check: bool = True, seconds: float = 300) -> str:
    """Run one docker command, for at most ``seconds``, and return its output.

    Raises OutOfReach when docker is not installed or no engine answers, FailedBefore when the command itself fails.
    """
    if not shutil.which("docker"):
        raise OutOfReach("Docker is not installed", "install a Docker Engine; on Debian: `apt-get install docker.io`")
    command = ["docker", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=seconds)
    if done.returncode and check:
        problem = done.stderr.strip().splitlines() or ["docker gave no reason"]
        if any(sign in done.stderr for sign in UNREACHABLE):
            raise OutOfReach(f"cannot reach the Docker Engine: {problem[-1]}", "start it, then check: `docker info`")
        raise FailedBefore(f"docker {arguments[0]} failed: {problem[-1]}", f"try it: `{' '.join(command[:4])} …`")
    return done.stdout


def host() -> str:
    """The engine's address, from DOCKER_HOST or the current context, for clients that do not read contexts."""
    if given := os.environ.get("DOCKER_HOST"):
        return given
    shown = run("context", "inspect", "--format", "{{.Endpoints.docker.Host}}", check=False).strip()
    return shown or "unix:///var/run/docker.sock"


def require() -> None:
    """Raise OutOfReach unless a Docker Engine answers."""
    run("version", "--format", "{{.Server.Version}}", seconds=20)


def has_image(name: str, recipe: str = "") -> bool:
    """Whether the engine has an image of this name, built from ``recipe`` if one is given."""
    wanted = ["--filter", f"label={RECIPE_LABEL}={recipe}"] if recipe else []
    return bool(run("image", "ls", "--quiet", "--filter", f"reference={name}", *wanted).strip())


def containers(instance: str) -> list[str]:
    """Ids of all containers of one sandbox, running or not."""
    return run("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={INSTANCE_LABEL}={instance}").split()


def sweep(instance: str) -> None:
    """Remove every container of one sandbox and its volumes."""
    quiet = 0
    while quiet < QUIET:
        if found := containers(instance):
            run("rm", "--force", "--volumes", *found, check=False)
            quiet = 0
        elif (quiet := quiet + 1) < QUIET:
            time.sleep(0.1)


def remove_images(registry: str) -> None:
    """Remove the engine's tags and digests of images from a registry that no longer runs."""
    ids = sorted(set(run("image", "ls", "--all", "--quiet", "--no-trunc", check=False).split()))
    if not ids:
        return
    shown = json.loads(run("image", "inspect", *ids, check=False) or "[]")
    names = {n for image in shown for n in (*(image["RepoTags"] or []), *(image["RepoDigests"] or []))}
    ours = sorted(name for name in names if name.startswith(f"{registry}/"))
    if ours:
        run("image", "rm", *ours, check=False)


def inspect(name: str) -> dict[str, Any]:
    """What ``docker container inspect`` shows of a container; empty when no container has that name."""
    shown = json.loads(run("container", "inspect", name, check=False) or "[]")
    return dict(shown[0]) if shown else {}
