"""Credentials of a job in GitHub Actions: its OIDC token is exchanged for those of the role that the command needs.

They are for this process only: no other step of the job sees them, and botocore renews them in a long run.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import botocore.config
import botocore.exceptions as boto
import botocore.session
import tenacity
from botocore import UNSIGNED
from botocore.credentials import Credentials, DeferredRefreshableCredentials

from deploykit.edges.aws.session import THROTTLED, AwsUnreachable, Provider, Throttled
from deploykit.edges.clock import Clock
from deploykit.edges.oidc import BEARER, PERMISSION, URL, IdToken, NoTokenYet, TokenEndpoint, missing_in
from deploykit.errors import OutOfReach

_METHOD = "github-oidc"
_SECONDS = 3600  # every role allows an hour; botocore renews in time
_TRIES = 4
_LATER = ("IDPCommunicationError", "InternalFailure", "ServiceUnavailable")
_KEY = re.compile(r"(?i)verification key")  # InvalidIdentityToken, where AWS could not fetch GitHub's keys just now
_FOUND_BY_BOTO3 = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@dataclass(frozen=True)
class Wish:
    """What a command asks for: ``auth`` (auto, oidc, env), and the role for its ``kind`` in an environment's roles."""

    auth: str
    kind: str  # deploy, plan, check
    environment: str
    roles: Mapping[str, str]  # kind to ARN
    region: str

    @property
    def role(self) -> str | None:
        return self.roles.get(self.kind)


def provider_for(wish: Wish, environ: Mapping[str, str], clock: Clock, mask: Callable[[str], None]) -> Provider | None:
    """Where the credentials come from; None: where boto3 finds them. ``mask`` is told everything secret.

    Raises: OutOfReach for ``oidc`` where something is missing that it needs.
    """
    missing, kind = missing_in(environ), wish.kind
    no_role = f"environment {wish.environment} has no role for this command (roles.{kind})"
    add_role = f'add {kind} = "arn:…" to roles of [environments.{wish.environment}], or set AWS credentials'
    no_token = f"this job may not get GitHub's OIDC token ({' and '.join(missing)} not set)"
    if wish.auth == "oidc" and not wish.role:
        raise OutOfReach(f"--auth oidc needs a role, but {no_role}", add_role)
    if wish.auth == "oidc" and missing:
        raise OutOfReach(f"--auth oidc needs a job of GitHub Actions with a token: {no_token}", PERMISSION)
    if wish.auth == "env" or (wish.auth == "auto" and any(environ.get(name) for name in _FOUND_BY_BOTO3)):
        return None
    if wish.role and not missing:
        endpoint = TokenEndpoint(environ[URL], environ[BEARER], clock, mask)
        return WebIdentity(wish.role, wish.region, session_name(environ), endpoint, clock, mask)
    if environ.get("GITHUB_ACTIONS") == "true" and wish.roles:
        why, what = (no_token, PERMISSION) if wish.role else (no_role, add_role)
        return Found(OutOfReach(f"no AWS credentials: {why}", what))
    return None


def long_lived(wish: Wish, environ: Mapping[str, str]) -> bool:
    """True for a job of GitHub Actions that uses keys of an IAM user although there are roles for it."""
    keys = environ.get("AWS_ACCESS_KEY_ID") and not environ.get("AWS_SESSION_TOKEN")
    return bool(environ.get("GITHUB_ACTIONS") == "true" and wish.roles and wish.auth != "oidc" and keys)


def session_name(environ: Mapping[str, str]) -> str:
    """The name of the role session, which CloudTrail shows: ``deploykit-RUN-ATTEMPT``, in the characters allowed."""
    run = [environ.get(name, "") for name in ("GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")]
    name = "-".join(["deploykit", *(part for part in run if part)])
    return re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64]


def audience_of(role: str) -> str:
    """The audience that STS expects in the partition of ``role``."""
    return "sts.amazonaws.com.cn" if role.startswith("arn:aws-cn:") else "sts.amazonaws.com"


@dataclass(frozen=True)
class Found:
    """What boto3 finds by itself (a runner's instance profile, a default profile); ``refusal`` where that is nothing.

    Nothing is looked for before the first call, so that a command which only would like to ask AWS can do without.
    """

    refusal: OutOfReach

    def __call__(self, session: botocore.session.Session, _: Callable[..., None]) -> None:
        resolver = session.get_component("credential_provider")
        session.register_component("credential_provider", _Resolver(lambda: resolver.load_credentials() or self._no()))

    def _no(self) -> Credentials:
        raise self.refusal


@dataclass
class WebIdentity:
    """The credentials of ``role`` for one process: asked for at the first call, renewed 15 minutes before they end."""

    role: str
    region: str
    name: str
    endpoint: TokenEndpoint
    clock: Clock
    mask: Callable[[str], None]
    _count: Callable[..., None] | None = field(default=None, repr=False)
    _sts: Any = field(default=None, repr=False)

    def __call__(self, session: botocore.session.Session, count: Callable[..., None]) -> None:
        self._count = count
        found = DeferredRefreshableCredentials(self.renew, _METHOD, self.clock.now)
        session.register_component("credential_provider", _Resolver(lambda: found))

    def renew(self) -> dict[str, str]:
        """New credentials in the form that botocore takes them; it calls this from one thread at a time.

        Raises: AwsUnreachable, Throttled (after four tries, each with a token of its own), OutOfReach (refused).
        """
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((AwsUnreachable, Throttled)),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=8.0),
            stop=tenacity.stop_after_attempt(_TRIES),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            found = attempts(self._assume)
        except NoTokenYet as busy:  # it was tried often enough; who polls AWS may ask again later
            raise AwsUnreachable(busy.message, busy.hint) from None
        ends, now = found["Expiration"], self.clock.now()
        if ends <= now:
            raise OutOfReach(
                f"AWS's new credentials end at {ends:%H:%M:%S} UTC, and here it is {now:%H:%M:%S} UTC already",
                "set this machine's clock",
            )
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": ends.isoformat(),
        }

    def _assume(self) -> dict[str, Any]:
        token = self.endpoint.token(audience_of(self.role))
        try:
            answer = self._client().assume_role_with_web_identity(
                RoleArn=self.role, RoleSessionName=self.name, WebIdentityToken=token.value, DurationSeconds=_SECONDS
            )
        except boto.ClientError as error:
            raise self._refusal(error, token) from None
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise AwsUnreachable(f"AWS STS could not be reached: {error}", "check the network and proxies") from None
        except boto.BotoCoreError as error:
            raise OutOfReach(_without(token, f"AWS STS could not be asked for a role: {error}")) from None
        found: dict[str, Any] = answer["Credentials"]
        for name in ("SecretAccessKey", "SessionToken", "AccessKeyId"):
            self.mask(found[name])
        return found

    def _client(self) -> Any:
        """STS in the environment's region, called without a signature: the token is all there is to show."""
        if self._sts is None:
            session = botocore.session.get_session()
            session.set_config_variable("sts_regional_endpoints", "regional")
            config = botocore.config.Config(
                signature_version=UNSIGNED,
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 1},  # a retry takes a token of its own
                user_agent_extra="deploykit",
            )
            self._sts = session.create_client("sts", region_name=self.region, config=config)
            if self._count is not None:
                self._sts.meta.events.register("before-send", self._count)
        return self._sts

    def _refusal(self, error: boto.ClientError, token: IdToken) -> OutOfReach:
        details: Mapping[str, Any] = dict(error.response.get("Error", {}))
        code, text = str(details.get("Code", "Unknown")), _without(token, str(details.get("Message", "")))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
        shown = f'its token has sub "{token.claim("sub")}" and aud "{token.claim("aud")}"'
        if code in THROTTLED or status == 429:
            return Throttled(f"AWS STS was asked too often ({text})", "wait a minute and run it again")
        if code in _LATER or status >= 500 or (code == "InvalidIdentityToken" and _KEY.search(text)):
            return AwsUnreachable(f"AWS STS failed to give {self.role} ({code}: {text})", "run it again in a minute")
        if code == "AccessDenied":
            return OutOfReach(f"AWS does not let this job assume {self.role}: {shown}", _trust(token))
        if code in ("ExpiredToken", "ExpiredTokenException"):
            ends = token.claim("exp")
            return OutOfReach(
                f"AWS found GitHub's token expired (exp {ends}) although it was new: {text}",
                "run it again; if it stays so, the way from this runner to AWS is too slow, or GitHub's clock is wrong",
            )
        if code == "InvalidIdentityToken":
            return OutOfReach(
                f"AWS does not accept GitHub's token for {self.role} ({text}): {shown}",
                f"the role's account needs the IAM identity provider https://{token.issuer} "
                f'with the audience "{audience_of(self.role)}"',
            )
        return OutOfReach(f"AWS STS refused to give {self.role} ({code}: {text}): {shown}")


@dataclass(frozen=True)
class _Resolver:
    """What a botocore session asks for its credentials, once."""

    load_credentials: Callable[[], Credentials]


def _trust(token: IdToken) -> str:
    """The condition that a role's trust policy needs, as lines of JSON to paste.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
    """
    aud = json.dumps({f"{token.issuer}:aud": token.claim("aud")})
    subjects = ",\n".join(f"  {json.dumps(subject, ensure_ascii=False)}" for subject in token.subjects)
    return (
        "if the role exists, its trust policy must allow sts:AssumeRoleWithWebIdentity under this condition "
        "(both forms that GitHub gives sub):\n"
        f'"StringEquals": {aud},\n"StringLike": {{{json.dumps(f"{token.issuer}:sub")}: [\n{subjects}\n]}}'
    )


def _without(token: IdToken, text: str) -> str:
    return text.replace(token.value, "…")
