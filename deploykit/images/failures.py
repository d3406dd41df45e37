"""Why a build or a push failed, read from what docker printed. Pure."""

from __future__ import annotations

import re

from deploykit.edges.aws.ecr import missing_repository
from deploykit.errors import DeploykitError, FailedBefore, OutOfReach
from deploykit.images.arguments import BuildSpec

_NO_NETWORK = re.compile(
    r"no such host|connection refused|connection reset|i/o timeout|TLS handshake timeout|network is unreachable"
    r"|no route to host|context deadline exceeded|Client\.Timeout|temporary failure in name resolution"
    r"|server misbehaving|server gave HTTP response to HTTPS client|certificate signed by unknown authority",
    re.IGNORECASE,
)
_REGISTRY = re.compile(r"https?://([^/\"\s]+)/v2/")
_NOT_ALLOWED = re.compile(r"not authorized to perform: (ecr:\w+)")
_NO_LOGIN = re.compile(r"no basic auth credentials|unauthorized|authentication required|denied|403 Forbidden", re.I)
_NO_REPOSITORY = re.compile(r"name unknown|repository .* (does not exist|not found)|name not known", re.IGNORECASE)


def build_failed(spec: BuildSpec, code: int, output: str, engine_platform: str) -> DeploykitError:
    """The error of a build that ended with exit code ``code``; its whole ``output`` has been shown already."""
    hint = "fix what the build's output above reports, commit, and run the command again"
    for line in reversed(output.splitlines()[-20:]):
        registry = _REGISTRY.search(line)
        if registry and _NO_NETWORK.search(line):
            return OutOfReach(
                f"{spec.service}: the registry {registry[1]} is not reachable, and the build needs an image from it",
                "check the network and proxies, or use a base image from a registry that is reachable (build_args)",
            )
    if "exec format error" in output and spec.platform:
        hint = f"this engine ({engine_platform}) cannot run programs of {spec.platform}: set up QEMU (binfmt_misc)"
    return FailedBefore(f"{spec.service}: the build of {spec.dockerfile.name} failed with exit code {code}", hint)


def push_failed(service: str, uri: str, repository: str, region: str, code: int, output: str) -> DeploykitError:
    """The error of a ``docker push`` that ended with exit code ``code``."""
    host = uri.partition("/")[0]
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), f"exit code {code}")
    if action := _NOT_ALLOWED.search(output):
        return OutOfReach(
            f"{service}: not allowed to push to {uri}: {last}",
            f"allow the IAM action {action[1]} for the identity that runs deploykit, then run the command again",
        )
    if _NO_REPOSITORY.search(output):
        return missing_repository(repository, region)
    if _NO_NETWORK.search(output):
        return OutOfReach(
            f"{service}: the registry {host} is not reachable: {last}",
            f"check the network and proxies of the Docker Engine: `curl -i https://{host}/v2/` should answer 401",
        )
    if _NO_LOGIN.search(output):
        return OutOfReach(
            f"{service}: the registry {host} refused the push: {last}",
            "allow ecr:BatchCheckLayerAvailability, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and "
            "PutImage on the repository for the identity that runs deploykit",
        )
    return FailedBefore(f"{service}: the push to {uri} failed with exit code {code}: {last}", "run the command again")
