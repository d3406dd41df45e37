"""The kinds of text and numbers in a configuration: what each accepts, and what its error says is expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from deploykit.config.durations import EXPECTED, PATTERN, parse_duration

PLACEHOLDERS = ("env", "project")


class Table(BaseModel):
    """A table of the file: strict types, no unknown keys, never changed once read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True)
class FromFile:
    """The validation context of values from the file: what fills its placeholders."""

    env: str
    project: str


def expected(text: str) -> PydanticCustomError:
    """The error of a value that its key does not accept; ``text`` follows ``key = value``."""
    return PydanticCustomError("expected", "{text}", {"text": text})


def _fill(value: str, info: ValidationInfo) -> str:
    for name in re.findall(r"\{([^{}]*)\}", value):
        if name not in PLACEHOLDERS:
            raise expected(f"{{{name}}} is not a placeholder; only {{env}} and {{project}} are filled in")
    if isinstance(info.context, FromFile):
        return value.replace("{env}", info.context.env).replace("{project}", info.context.project)
    return value


def _not_empty(value: Any) -> Any:
    if not (value.strip() if isinstance(value, str) else value):
        raise expected("must not be empty")
    return value


def _shaped(pattern: str, text: str) -> AfterValidator:
    shape = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not shape.fullmatch(value):
            raise expected(text)
        return value

    return AfterValidator(check)


def _regex(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise expected(f"is not a regular expression: {error.msg}{where}") from None
    return value


def _repository(value: str) -> str:
    shape = r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    if re.fullmatch(shape, value):
        return value
    if re.fullmatch(shape, value.lower()):
        raise expected(f'repositories are lower case: write "{value.lower()}"')
    if ".amazonaws.com/" in value:
        raise expected("must be the repository's name alone, without the registry's host name")
    raise expected("must be a repository's name: lower case letters, digits, and - _ . / between them")


def _duration(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise expected(str(error)) from None
    if isinstance(info.context, FromFile):
        fix = f': write "{value}s"' if isinstance(value, int) and not isinstance(value, bool) else ""
        raise expected(f"must be {EXPECTED}{fix}")
    return value


def _between(low: float, high: float | None, text: str) -> AfterValidator:
    """Numbers from ``low`` to ``high``, both included."""

    def check(value: float) -> float:
        if value < low or (high is not None and value > high):
            raise expected(text)
        return value

    return AfterValidator(check)


def _alone(value: str) -> str:
    name = value.rpartition("/")[2]
    if value.startswith("arn:") and name:
        raise expected(f'must be the name alone: write "{name}"')
    return value


def _distribution(value: str) -> str:
    if re.search(r"[./:]", value):
        raise expected('must be the distribution\'s id, such as "E2QWRUHAPOMQZL", not its address or ARN')
    return value


def _one_or_many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Text = Annotated[str, AfterValidator(_not_empty)]
Name = Annotated[str, AfterValidator(_not_empty), AfterValidator(_fill)]
ServiceName = Annotated[Name, AfterValidator(_alone)]
DistributionId = Annotated[Name, AfterValidator(_distribution)]
Strings = Annotated[tuple[Text, ...], Field(strict=False)]
SomeStrings = Annotated[tuple[Text, ...], Field(strict=False), AfterValidator(_not_empty)]
SomeNames = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(_not_empty)]
Regex = Annotated[str, AfterValidator(_regex), WithJsonSchema({"type": "string", "format": "regex"})]

_SECONDS = WithJsonSchema({"type": "string", "pattern": PATTERN})
Pause = Annotated[float, BeforeValidator(_duration), _SECONDS]
Duration = Annotated[float, BeforeValidator(_duration), _between(1e-9, None, "must be more than 0"), _SECONDS]
Count = Annotated[int, _between(1, None, "must be 1 or more")]
Share = Annotated[float, _between(1e-9, 1 - 1e-9, "must be a share between 0 and 1, such as 0.05")]
Port = Annotated[int, _between(1, 65535, "must be a port from 1 to 65535")]
Status = Annotated[int, _between(100, 599, "must be an HTTP status from 100 to 599")]
Statuses = Annotated[
    tuple[Status, ...],
    Field(strict=False),
    AfterValidator(_not_empty),
    BeforeValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}, "minItems": 1}]}),
]

Key = Annotated[str, _shaped(r"[A-Za-z0-9][A-Za-z0-9._-]*", "must be letters, digits, and - _ . between them")]
Account = Annotated[str, _shaped(r"\d{12}", "must be an AWS account number: twelve digits")]
Region = Annotated[str, _shaped(r"[a-z]{2,5}(-[a-z]+)+-\d{1,2}", 'must be an AWS region, such as "us-east-1"')]
Repository = Annotated[str, AfterValidator(_fill), AfterValidator(_repository)]
Address = Annotated[
    Name,
    _shaped(r"https?://[^\s/?#@]+(/[^\s?#]*)?", 'must be an address such as "https://example.com", without a query'),
]
FullAddress = Annotated[
    Text,
    _shaped(r"https?://[^\s/?#@]+([/?][^\s#]*)?", 'must be an address such as "https://…"'),
]
Webhook = Annotated[Name, _shaped(r"https?://[^\s/]+\S*", 'must be an address such as "https://…"')]
State = Annotated[
    Name,
    _shaped(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?|(?![a-zA-Z0-9]+:/).+",
        'must be "s3://BUCKET/PREFIX" or a folder',
    ),
]
Role = Annotated[
    Name, _shaped(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+", 'must be a role\'s ARN, "arn:aws:iam::…:role/…"')
]
RegistryHost = Annotated[Name, _shaped(r"[^\s/:@]+(:\d+)?(/\S+)?", 'must be "HOST" or "HOST:PORT", without "https://"')]
HostPort = Annotated[
    Name, _shaped(r"([^\s/:@]+|\[[0-9a-fA-F:]+\]):\d{1,5}", 'must be "HOST:PORT", such as "127.0.0.1:8080"')
]
Cache = Annotated[Name, _shaped(r"registry:\S+", 'must be "registry:REPOSITORY"')]
UrlPath = Annotated[Text, _shaped(r"/\S*", 'must begin with "/"')]
Platform = Annotated[str, _shaped(r"[a-z0-9]+/[a-z0-9_]+(/v\d+)?", 'must be a platform such as "linux/amd64"')]
EnvironmentVariable = Annotated[
    str, _shaped(r"[A-Za-z_][A-Za-z0-9_]*", "must be the name of an environment variable: letters, digits, _")
]
RelativePath = Annotated[
    Text, _shaped(r"(?!/)(?!~).+", "must be relative: a path beside this file, not an absolute one")
]
