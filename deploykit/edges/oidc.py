"""GitHub's OIDC tokens: what a job of a workflow proves itself with, valid for minutes and asked for anew each time.

https://docs.github.com/en/actions/reference/security/oidc
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import requests
import tenacity
from urllib3.exceptions import HTTPError

from deploykit.edges.clock import Clock
from deploykit.errors import OutOfReach

URL, BEARER = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
PERMISSION = (
    "give the job `permissions: id-token: write` (with a reusable workflow, the job that calls it, too); "
    "pull requests from forks never get a token"
)
_TRIES = 4
_SECONDS = (5.0, 10.0)  # to connect, and for each read
_SUBJECT = re.compile(r"repo:([^:]+):(.+)")
_ID = re.compile(r"@\d+")


class NoTokenYet(OutOfReach):
    """GitHub gave no answer, or was busy, at every try; later it may."""


@dataclass(frozen=True)
class IdToken:
    """A token and what it claims. The claims are read, not verified: they are for messages only."""

    value: str = field(repr=False)
    claims: Mapping[str, object]

    def claim(self, name: str) -> str:
        """The claim as text; empty where there is none."""
        return str(self.claims.get(name) or "")

    @property
    def issuer(self) -> str:
        """The issuer as AWS names its identity provider: without ``https://``."""
        return self.claim("iss").removeprefix("https://") or "token.actions.githubusercontent.com"

    @property
    def subjects(self) -> tuple[str, ...]:
        """The forms that ``sub`` can have for this job: ``repo:ann/shop:…``, and the immutable one with GitHub's ids.

        A repository changes from the first to the second: a new one has it, and one that is renamed or transferred.
        """
        subject = self.claim("sub")
        parts = _SUBJECT.fullmatch(subject)
        owner_id, repository_id = self.claim("repository_owner_id"), self.claim("repository_id")
        if parts is None:
            return (subject,)  # the organisation's own form
        plain = self.claim("repository") or _ID.sub("", parts[1])
        owner, _, name = plain.partition("/")
        classic = f"repo:{owner}/{name}:{parts[2]}"
        if not (owner_id and repository_id):
            return tuple(dict.fromkeys((classic, subject)))
        return (classic, f"repo:{owner}@{owner_id}/{name}@{repository_id}:{parts[2]}")


@dataclass(frozen=True)
class TokenEndpoint:
    """Where a job gets its tokens; ``mask`` is told each token before anybody else."""

    url: str
    bearer: str = field(repr=False)
    clock: Clock
    mask: Callable[[str], None]

    def token(self, audience: str) -> IdToken:
        """A new token for ``audience``.

        Raises: NoTokenYet (no answer, or a server error, four times), OutOfReach (any other refusal).
        """
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(NoTokenYet),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=8.0),
            stop=tenacity.stop_after_attempt(_TRIES),
            sleep=self.clock.sleep,
            reraise=True,
        )
        return attempts(self._ask, audience)

    def _ask(self, audience: str) -> IdToken:
        address = f"{self.url}{'&' if '?' in self.url else '?'}audience={quote(audience, safe='')}"
        try:
            answer = requests.get(
                address,
                headers={"Accept": "application/json"},
                auth=self._authorized,
                timeout=_SECONDS,
                allow_redirects=False,  # the bearer token is for this address only
            )
        except (requests.Timeout, requests.ConnectionError) as error:
            raise _busy(type(error).__name__) from None
        except (OSError, ValueError, HTTPError) as error:  # what they say may hold the headers
            raise OutOfReach(
                f"GitHub cannot be asked for an OIDC token: {type(error).__name__}", f"is {URL} as GitHub set it?"
            ) from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _busy(f"HTTP {answer.status_code}")
        if answer.status_code != 200:
            raise OutOfReach(
                f"GitHub refused an OIDC token: HTTP {answer.status_code}",
                f"{URL} and {BEARER} hold only while their job runs: pass them on as they are. Else {PERMISSION}",
            )
        try:
            body = answer.json()
        except ValueError:
            body = None
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str) or not value:
            raise OutOfReach("GitHub's answer holds no OIDC token", f"is {URL} as GitHub set it?")
        self.mask(value)
        return IdToken(value, claims_of(value))

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Given as a header only, the token would lose against a password for the same host in ~/.netrc."""
        request.headers["Authorization"] = f"bearer {self.bearer}"
        return request


def missing_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that a job needs to get a token and that are not set."""
    return tuple(name for name in (URL, BEARER) if not environ.get(name))


def claims_of(token: str) -> Mapping[str, object]:
    """What a JWT claims, without looking at its signature; nothing where it cannot be read.

    https://www.rfc-editor.org/rfc/rfc7519#section-3
    """
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _busy(why: str) -> NoTokenYet:
    return NoTokenYet(f"GitHub gave no OIDC token: {why}, {_TRIES} times", "run it again in a minute")
