"""The checks tables: endpoints, what is expected of them, and how often chance must be ruled out."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from deploykit.config.scalars import (
    Count,
    Duration,
    FullAddress,
    Key,
    Pause,
    Regex,
    Share,
    Statuses,
    Strings,
    Table,
    Text,
    UrlPath,
    expected,
)

JsonLiteral = str | int | float | bool | list[Any]


class Matchers(Table):
    """What a value must be, where a literal is too narrow; every matcher that is set must hold."""

    matches: Regex | None = None
    """A regular expression found somewhere in the value."""
    gt: int | float | None = None
    """The value is a number greater than this."""
    lt: int | float | None = None
    """The value is a number less than this."""
    exists: bool | None = None
    """The value is there (true), or is not (false)."""


def _kind(value: Any) -> str:
    return "<matchers>" if isinstance(value, dict | Matchers) else "<literal>"


def _json_literal(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool | list):
        raise expected("must be text, a number, true, false, a list, or a table of matchers")
    return value


def _header_text(value: Any) -> Any:
    if not isinstance(value, str):
        raise expected("must be text in quotes, or a table of matchers")
    return value


def _some_matcher(value: Matchers) -> Matchers:
    if not value.model_fields_set:
        raise expected("must hold a matcher: matches, gt, lt or exists")
    return value


def _sendable(value: Any) -> Any:
    if not isinstance(value, str | dict | list):
        raise expected("must be text, or a table sent as JSON")
    return value


Matched = Annotated[Matchers, AfterValidator(_some_matcher), Tag("<matchers>")]
Literally = Annotated[
    Any,
    AfterValidator(_json_literal),
    WithJsonSchema({"type": ["string", "number", "boolean", "array"]}),
    Tag("<literal>"),
]
HeaderText = Annotated[Any, AfterValidator(_header_text), WithJsonSchema({"type": "string"}), Tag("<literal>")]

with warnings.catch_warnings():
    # The file's key is `json`, and so is the field; BaseModel's deprecated method of that name is not missed.
    warnings.filterwarnings("ignore", message='Field name "json"')

    class Expect(Table):
        """What an endpoint must answer; what is missing from a response fails its expectation."""

        status: Statuses = (200,)
        """The HTTP status, or a list of those allowed."""
        json: dict[str, Annotated[Matched | Literally, Discriminator(_kind)]] = Field(default_factory=dict)  # type: ignore[assignment]  # see above
        """Path into the JSON body (dotted, in quotes; list items by number) to a literal or a table of matchers."""
        contains: Text | None = None
        """Text that the body contains."""
        matches: Regex | None = None
        """A regular expression found somewhere in the body."""
        headers: dict[str, Annotated[Matched | HeaderText, Discriminator(_kind)]] = Field(default_factory=dict)
        """Response header, in any case, to its text or a table of matchers."""
        max_latency: Duration | None = None
        """The longest the whole answer may take."""
        certificate_days: Count | None = None
        """Days the certificate must still be valid (https only)."""

    class VersionCheck(Table):
        """Where an endpoint shows the commit it runs: one of the two."""

        json: Text | None = None  # type: ignore[assignment]  # see above
        """Path into the JSON body, as under `expect`."""
        header: Text | None = None
        """Response header, in any case."""


class Endpoint(Table):
    """One address that users rely on."""

    id: Key
    """Stable name of the endpoint: its history depends on it."""
    name: Text = ""
    """What people call it; by default the id."""
    path: UrlPath | None = None
    """Path under the environment's `url`."""
    url: FullAddress | None = None
    """The whole address, where it is on another host (instead of `path`)."""
    service: Text | None = None
    """The service whose version it shows; needed with `version` where there are several."""
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    """The request's method."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers to send."""
    body: Annotated[Any, AfterValidator(_sendable), WithJsonSchema({"type": ["string", "object", "array"]})] = None
    """What to send: text, or a table sent as JSON."""
    follow_redirects: bool = False
    """Follow redirects instead of judging the first answer."""
    severity: Literal["error", "warn"] = "error"
    """`warn`: reported, never decides."""
    expect: Expect = Expect()
    """What it must answer."""
    version: VersionCheck | None = None
    """Where it shows the commit it runs; must become its service's."""
    only: Strings | None = None
    """The environments that have it; by default all."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and "name" not in value and isinstance(value.get("id"), str) and value["id"]:
            return {**value, "name": value["id"]}
        return value

    def address(self, base_url: str) -> str:
        """The full URL: its own, or its path under ``base_url`` (which may end in a slash or a path)."""
        return self.url if self.url is not None else base_url.rstrip("/") + (self.path or "/")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise expected("must say its time zone: add Z for UTC")
    return value


Moment = Annotated[datetime, AfterValidator(_aware)]


class Maintenance(Table):
    """A window whose checks are recorded, not counted."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Moment = Field(alias="from")
    """When it begins, with time zone."""
    to: Moment
    """When it ends, with time zone."""


class Checks(Table):
    """How endpoints are asked, and how sure a verdict must be. Durations are seconds."""

    timeout: Duration = 5.0
    """The longest one request may take."""
    interval: Pause = 5.0
    """Between rounds after a release."""
    samples: Count = 3
    """Requests per endpoint and round, each on a connection of its own."""
    noise: Share = 0.01
    """Share of failures that may be chance."""
    detect: Share = 0.33
    """Share of failures that must not count as healthy."""
    deadline: Duration = 300.0
    """The longest a verdict may take."""
    incident_after: Count = 3
    """Bad rounds in a row that open an incident, and good ones that close it."""
    maintenance: Annotated[tuple[Maintenance, ...], Field(strict=False)] = ()
    """Windows that are recorded, not counted."""
    endpoints: Annotated[tuple[Endpoint, ...], Field(strict=False)] = ()
    """The addresses that users rely on."""
