"""Log in to push without a token on disk: a docker configuration that names a credential helper of ours.

``docker login`` writes its token into the user's configuration and leaves it there. Here only the one docker process
that needs the token has it, in its environment, and the helper repeats it.
https://docs.docker.com/reference/cli/docker/login/#credential-helper-protocol
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploykit.edges.aws.ecr import Login
from deploykit.errors import OutOfReach

_KEPT = ("currentContext", "proxies")
_VARIABLE, _THEIRS = "DEPLOYKIT_DOCKER_CREDENTIAL", "DEPLOYKIT_DOCKER_CONFIG"

# printf is built into every sh, so the token is in no argument list; a here-document would put it in a temporary file.
_HELPER = f"""#!/bin/sh
[ "$1" = get ] || exit 0
read -r server
if [ "$server" = '%s' ]; then
  printf '%%s\\n' "${_VARIABLE}"
else
  exec '%s' -I -S "$0.py" "$server"
fi
"""
# Reads the password for another registry from the user's own configuration.
_READER = f"""
import base64, json, os, sys
with open(os.environ["{_THEIRS}"], encoding="utf-8") as file:
    found = json.load(file)["auths"][sys.argv[1]]
name, _, secret = base64.b64decode(found.get("auth") or "").decode().partition(":")
if found.get("identitytoken"):
    name, secret = "<token>", found["identitytoken"]
print(json.dumps({{"ServerURL": sys.argv[1], "Username": name, "Secret": secret}}))
"""


@contextmanager
def logged_in(
    login: Login, registry: str, environment: Mapping[str, str] = os.environ, *, besides_theirs: bool = False
) -> Iterator[dict[str, str]]:
    """The environment for a docker process that may push to ``registry`` (HOST or HOST:PORT).

    The user's engine (context), proxies and plugins stay. Their other credentials are not in it, unless a build needs
    them for its base images (``besides_theirs``); even then they are written to no file.
    Raises: OutOfReach (the temporary folder runs no programs).
    """
    with tempfile.TemporaryDirectory(prefix="deploykit-push-") as name:
        folder = Path(name)
        helper = folder / "docker-credential-deploykit"
        helper.write_text(_HELPER % (registry, sys.executable))
        helper.chmod(0o700)
        if not os.access(helper, os.X_OK):
            raise OutOfReach(
                f"{folder.parent} runs no programs (mounted noexec?), and docker needs a credential helper to log in",
                "set TMPDIR to a folder that does, such as `export TMPDIR=$HOME/tmp`",
            )
        user = Path(environment.get("DOCKER_CONFIG") or Path(environment.get("HOME") or Path.home()) / ".docker")
        theirs = _read(user / "config.json")
        ours = _besides(theirs) if besides_theirs else {n: theirs[n] for n in _KEPT if n in theirs}
        plugins = [*(theirs.get("cliPluginsExtraDirs") or []), str(user / "cli-plugins")]
        helpers = {**(ours.get("credHelpers") or {}), registry: "deploykit"}
        ours |= {"cliPluginsExtraDirs": plugins, "credHelpers": helpers}
        (folder / "config.json").write_text(json.dumps(ours))
        (folder / f"{helper.name}.py").write_text(_READER)
        if (user / "contexts").is_dir():
            (folder / "contexts").symlink_to((user / "contexts").resolve(), target_is_directory=True)
        secret = {"ServerURL": registry, "Username": login.username, "Secret": login.password}
        yield {
            # A DOCKER_CONFIG without buildx's folder hides the user's builders.
            "BUILDX_CONFIG": str(user / "buildx"),
            **{name: value for name, value in environment.items() if besides_theirs or name != "DOCKER_AUTH_CONFIG"},
            "DOCKER_CONFIG": str(folder),
            "PATH": f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}",
            _VARIABLE: json.dumps(secret),
            _THEIRS: str(user / "config.json"),
        }


def _read(file: Path) -> dict[str, Any]:
    try:
        theirs = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        theirs = {}
    return theirs if isinstance(theirs, dict) else {}


def _besides(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The user's configuration, with our helper in place of every password in it."""
    inline = theirs.get("auths")
    held = [host for host, entry in inline.items() if entry] if isinstance(inline, Mapping) else []
    kept = {name: value for name, value in theirs.items() if name != "auths"}
    return kept | {"credHelpers": {**dict.fromkeys(held, "deploykit"), **(theirs.get("credHelpers") or {})}}
