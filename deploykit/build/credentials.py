"""Logging a push in without a token on disk: a docker configuration that names a credential helper of ours.

``docker login`` writes its token into the user's configuration and leaves it there. Here the token is in the
environment of the one docker process that needs it, and the helper only repeats it.
https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploykit.edges.aws.ecr import Login
from deploykit.errors import OutOfReach

_VARIABLE = "DEPLOYKIT_DOCKER_CREDENTIAL"

# printf is built into every sh, so that the token is in no argument list, and in no here-document's temporary file.
_HELPER = f"""#!/bin/sh
[ "$1" = get ] || exit 0
cat >/dev/null
printf '%s\\n' "${_VARIABLE}"
"""


@contextmanager
def logged_in(login: Login, registry: str, environment: Mapping[str, str] = os.environ) -> Iterator[dict[str, str]]:
    """The environment for a docker process that may push to ``registry`` (HOST or HOST:PORT).

    The user's engine (context), proxies and plugins stay; their other credentials are out of reach in it.
    Raises: OutOfReach (the temporary folder runs no programs).
    """
    with tempfile.TemporaryDirectory(prefix="deploykit-push-") as name:
        folder = Path(name)
        helper = folder / "docker-credential-deploykit"
        helper.write_text(_HELPER)
        helper.chmod(0o700)
        if not os.access(helper, os.X_OK):
            raise OutOfReach(
                f"{folder.parent} runs no programs (mounted noexec?), and docker needs a credential helper to log in",
                "set TMPDIR to a folder that does, such as `export TMPDIR=$HOME/tmp`",
            )
        user = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or Path.home()) / ".docker")
        (folder / "config.json").write_text(json.dumps(_configuration(user, registry)))
        if (user / "contexts").is_dir():
            (folder / "contexts").symlink_to((user / "contexts").resolve(), target_is_directory=True)
        secret = {"ServerURL": registry, "Username": login.username, "Secret": login.password}
        yield {
            # A DOCKER_CONFIG without buildx's folder hides the user's builders.
            "BUILDX_CONFIG": str(user / "buildx"),
            **{name: value for name, value in environment.items() if name != "DOCKER_AUTH_CONFIG"},
            "DOCKER_CONFIG": str(folder),
            "PATH": f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}",
            _VARIABLE: json.dumps(secret),
        }


def _configuration(user: Path, registry: str) -> dict[str, Any]:
    """A config.json with what the user's says of engine, proxies and plugins, and nothing of its credentials."""
    try:
        theirs = json.loads((user / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        theirs = {}
    theirs = theirs if isinstance(theirs, dict) else {}
    kept = {name: theirs[name] for name in ("currentContext", "proxies") if name in theirs}
    plugins = [*(theirs.get("cliPluginsExtraDirs") or []), str(user / "cli-plugins")]
    return {**kept, "cliPluginsExtraDirs": plugins, "credHelpers": {registry: "deploykit"}}
