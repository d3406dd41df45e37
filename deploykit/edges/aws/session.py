"""The only way to AWS: it counts every call, and turns every refusal into an error that says what to do."""

from __future__ import annotations

import copy
import functools
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.config
import botocore.exceptions as boto
import botocore.session

from deploykit.errors import FailedBefore, OutOfReach

_Answer = TypeVar("_Answer")
Provider = Callable[[botocore.session.Session, Callable[..., None]], None]
"""Puts credentials into a new session; the other function is a handler of ``before-send`` that counts calls of STS."""

_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "Client.UnauthorizedOperation",
    "UnauthorizedOperation",
    "NotAuthorized",
    "AllAccessDisabled",
}
_BAD_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_READS = ("BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate")
"""How the operations begin that change nothing."""
THROTTLED = {
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
}


class AwsRefused(FailedBefore):
    """AWS refused the request. ``error`` is its code; callers explain the codes they expect in their own words."""

    def __init__(self, service: str, operation: str, error: str, text: str) -> None:
        super().__init__(f"{service}:{operation} was refused by AWS with {error}: {text}")
        self.service = service
        self.operation = operation
        self.error = error
        self.text = text


class NotAllowed(OutOfReach):
    """The credentials in use lack a permission; ``action`` is the IAM action to allow."""

    def __init__(self, action: str, text: str) -> None:
        super().__init__(
            f"not allowed: {action} ({text})",
            f"allow the IAM action {action} for the identity that runs deploykit, then run the command again",
        )
        self.action = action


class Throttled(OutOfReach):
    """AWS asked to slow down, and still did after this call's retries."""


class AwsUnreachable(OutOfReach):
    """No answer: the network, a proxy, or an endpoint that is down."""


@dataclass
class _Shared:
    """What the regions of one process share; ``region`` is the first of them, where roles are assumed."""

    region: str
    profile: str | None
    credentials: Provider | None = None
    calls: Counter[str] = field(default_factory=Counter)
    session: Any = None  # boto3.Session, whose typed overloads know literal service names only
    regions: dict[str, Aws] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


class Aws:
    """Calls to AWS in one region, through one boto3 session created when it is first needed.

    ``calls`` counts requests to all regions by operation (``ecs:UpdateService``); a retry counts as a request.
    """

    def __init__(
        self,
        region: str,
        profile: str | None = None,
        *,
        credentials: Provider | None = None,
        beside: Aws | None = None,
    ) -> None:
        """``credentials``: instead of those that boto3 finds. ``beside``: the Aws of another region, to share with."""
        self.region = region
        self._shared: _Shared = beside._shared if beside else _Shared(region, profile, credentials)
        self._shared.regions[region] = self
        self._clients: dict[tuple[str, bool], Any] = {}
        self._remembered: dict[tuple[str, ...], Any] = {}
        self._lock = self._shared.lock
        self._wire = threading.local()  # the raw request and answer of this thread's call_json
        self._guard: Callable[[], None] | None = None

    @property
    def calls(self) -> Counter[str]:
        return self._shared.calls

    def host_of(self, service: str) -> str:
        """The host name that calls to ``service`` go to. Raises: OutOfReach (AWS_PROFILE names no profile)."""
        try:
            return urlsplit(str(self._client(service, True).meta.endpoint_url)).hostname or ""
        except boto.ProfileNotFound as error:
            raise _unreadable(error) from None

    def in_region(self, region: str) -> Aws:
        """AWS in another region, with the same credentials and count of requests, and with a memory of its own."""
        with self._lock:
            found = self._shared.regions.get(region) or Aws(region, beside=self)
        return found if self._guard is None else found.guarded(self._guard)

    def guarded(self, guard: Callable[[], None]) -> Aws:
        """The same AWS, which calls ``guard`` before every call that may change something; it stops one by raising."""
        other = copy.copy(self)
        other._guard = guard
        return other

    def call(
        self, service: str, operation: str, /, *, retry: bool = True, asked: bool = False, **parameters: Any
    ) -> dict[str, Any]:
        """Send one request: ``aws.call("ecs", "DescribeServices", cluster=…)`` → the parsed answer.

        ``retry=False`` is for polls, which wait themselves; ``asked``: the guard has let it pass already.
        Raises: NotAllowed, Throttled, AwsUnreachable, OutOfReach (credentials), AwsRefused (any other error code).
        """
        if not asked:
            self._ask_guard(operation)
        try:
            method = getattr(self._client(service, retry), botocore.xform_name(operation))
            answer: dict[str, Any] = method(**parameters)
        except boto.ClientError as error:
            raise self._refusal(service, operation, error) from error
        except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError) as error:
            raise OutOfReach(
                f"no AWS credentials: {error}",
                "set AWS_PROFILE, or log in (`aws configure`, `aws sso login`); check: `aws sts get-caller-identity`",
            ) from error
        except (boto.ProfileNotFound, boto.TokenRetrievalError, boto.SSOError) as error:
            raise _unreadable(error) from error
        except (boto.ConnectionError, boto.HTTPClientError, boto.EndpointConnectionError) as error:
            raise AwsUnreachable(
                f"{service}:{operation} could not be reached: {error}",
                "check the network, proxies and AWS_ENDPOINT_URL",
            ) from error
        except boto.ParamValidationError as error:
            raise AwsRefused(service, operation, "ParamValidation", str(error)) from error
        except boto.BotoCoreError as error:
            raise OutOfReach(f"{service}:{operation} could not be called: {error}") from error
        return answer

    def call_json(self, service: str, operation: str, body: Mapping[str, Any], /, **parameters: Any) -> dict[str, Any]:
        """Send ``body`` and return the answer exactly as they are on the wire, for a service that speaks JSON.

        boto3 drops fields that its model does not know, such as those newer than it. ``parameters`` only satisfies
        boto3's validation. Raises what ``call`` raises.
        """
        self._ask_guard(operation)  # which may make calls of its own
        self._wire.body = json.dumps(body).encode()
        try:
            self.call(service, operation, asked=True, **parameters)
            answer: dict[str, Any] = json.loads(self._wire.answer)
        finally:
            self._wire.body = self._wire.answer = None
        return answer

    def _ask_guard(self, operation: str) -> None:
        if self._guard is not None and not operation.startswith(_READS):
            self._guard()

    def pages(self, service: str, operation: str, /, items: str, **parameters: Any) -> Iterator[Any]:
        """Every item named ``items`` of a paged list; the next page is requested when it is needed."""
        pairs = {"s3": ("ContinuationToken", "NextContinuationToken"), "elbv2": ("Marker", "NextMarker")}
        (token, following) = pairs.get(service, ("nextToken", "nextToken"))
        while True:
            answer = self.call(service, operation, **parameters)
            yield from answer.get(items) or ()
            if not answer.get(following):
                return
            parameters |= {token: answer[following]}

    def remember(self, key: tuple[str, ...], ask: Callable[[], _Answer]) -> _Answer:
        """The answer of ``ask``, which is called once per process for each ``key``."""
        with self._lock:
            if key in self._remembered:
                found: _Answer = self._remembered[key]
                return found
        answer = ask()
        with self._lock:
            self._remembered[key] = answer
        return answer

    def _client(self, service: str, retry: bool) -> Any:
        with self._lock:  # creating clients is not thread-safe; using them is
            found = self._clients.get((service, retry))
            if found is None:
                shared = self._shared
                if shared.session is None:
                    core = botocore.session.get_session()
                    if shared.credentials is not None:
                        shared.credentials(core, functools.partial(self._count, "sts"))
                    shared.session = boto3.Session(
                        botocore_session=core, region_name=shared.region, profile_name=shared.profile
                    )
                found = shared.session.client(
                    service,
                    region_name=self.region,
                    config=botocore.config.Config(
                        connect_timeout=5,
                        read_timeout=30,
                        max_pool_connections=32,
                        retries={"mode": "standard", "total_max_attempts": 4 if retry else 1},
                        user_agent_extra="deploykit",
                    ),
                )
                found.meta.events.register("before-send", functools.partial(self._count, service))
                found.meta.events.register("before-call", self._put_raw_body)
                found.meta.events.register("after-call", self._keep_raw_answer)
                self._clients[service, retry] = found
            return found

    def _count(self, service: str, event_name: str, **_: Any) -> None:
        operation = event_name.rsplit(".", 1)[-1]
        with self._lock:
            self.calls[f"{service}:{operation}"] += 1

    def _put_raw_body(self, params: dict[str, Any], **_: Any) -> None:
        if getattr(self._wire, "body", None) is not None:
            params["body"] = self._wire.body

    def _keep_raw_answer(self, http_response: Any, **_: Any) -> None:
        if getattr(self._wire, "body", None) is not None:
            self._wire.answer = http_response.content

    def _refusal(self, service: str, operation: str, error: boto.ClientError) -> Exception:
        details: Mapping[str, Any] = dict(error.response.get("Error", {}))
        code, text = str(details.get("Code", "Unknown")), str(details.get("Message", error))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if code in _DENIED or (status == 403 and code in ("403", "Forbidden")):
            named = re.search(r"not authorized to perform:? ([\w-]+:\w+)", text)
            prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
            return NotAllowed(named[1] if named else f"{prefix}:{operation}", text)
        if code in _BAD_CREDENTIALS:
            return OutOfReach(
                f"AWS does not accept these credentials ({code}: {text})",
                "log in again (`aws sso login`), or check AWS_PROFILE and the keys with `aws sts get-caller-identity`",
            )
        if code in THROTTLED or status == 429:
            return Throttled(f"{service}:{operation} was throttled by AWS ({text})", "wait a minute and run it again")
        if status is not None and status >= 500:
            return AwsUnreachable(
                f"{service}:{operation} failed inside AWS ({code}: {text})", "run it again in a minute"
            )
        return AwsRefused(service, operation, code, text)


def caller_account(aws: Aws) -> str:
    """The account of the credentials in use, 12 digits.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    return str(aws.call("sts", "GetCallerIdentity")["Account"])


def configured_region() -> str | None:
    """AWS_DEFAULT_REGION, else the region of the profile in use; None where neither is set.

    https://docs.aws.amazon.com/cli/latest/topic/config-vars.html
    Raises: OutOfReach (AWS_PROFILE names no profile).
    """
    try:
        return boto3.Session().region_name
    except boto.ProfileNotFound as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> OutOfReach:
    return OutOfReach(f"AWS credentials cannot be read: {error}", "run `aws sso login`, or set AWS_PROFILE")
