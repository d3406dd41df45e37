"""GitHub's compare API: how two commits stand to each other, asked of the repository that has them all.

https://docs.github.com/en/rest/commits/commits#compare-two-commits
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from deploykit.edges.git import Relation

_API = "https://api.github.com"
_API_VERSION = "2022-11-28"
_SECONDS = (5.0, 10.0)  # to connect, and for each read
_NAME = re.compile(r"[A-Za-z0-9_-]+/(?!\.\.?$)[A-Za-z0-9._-]+")
# https://github.com/shop/web.git, ssh://git@github.com:22/shop/web, git@github.com:shop/web.git
_ORIGIN = re.compile(r"(?i)(?:[a-z+]+://)?(?:[^/@]*@)?(?:www\.)?github\.com(?::\d+/|[:/]/?)([^/]+/[^/]+?)(?:\.git)?/?")


def compare(environ: Mapping[str, str], origin: str | None, base: str, head: str) -> Relation | None:
    """How commit ``head`` stands to ``base``, both by SHA; ``origin``: the remote's address, if there is one.

    None where GitHub cannot be asked (no token, no repository known, no network) or gives no answer: whatever is wrong
    with it, there are other ways to know.
    """
    token = (environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or "").strip()
    repository = repository_name(environ, origin)
    if not token or not repository:
        return None
    api = (environ.get("GITHUB_API_URL") or _API).rstrip("/")
    try:
        answer = requests.get(
            f"{api}/repos/{repository}/compare/{base}...{head}",
            params={"per_page": "1"},  # of the commits between, which are not looked at
            headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": _API_VERSION},
            auth=_Bearer(token),
            timeout=_SECONDS,
        )
        body = answer.json() if answer.status_code == 200 else None
        return Relation(body["status"]) if isinstance(body, dict) else None
    except (OSError, ValueError, KeyError, HTTPError):  # requests' errors are OSErrors; what they say may hold headers
        return None


def repository_name(environ: Mapping[str, str], origin: str | None) -> str | None:
    """``owner/name`` on GitHub: of the workflow that runs, else of ``origin``; None where that is another host."""
    named = environ.get("GITHUB_REPOSITORY", "").strip()
    found = _ORIGIN.fullmatch(origin or "")
    name = named or (found[1] if found else "")
    return name if _NAME.fullmatch(name) else None


class _Bearer(AuthBase):
    """The token; given as a header only, it would lose against a password for the same host in ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
