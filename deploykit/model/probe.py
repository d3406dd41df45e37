"""Readings: what an endpoint answered once, before anybody judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Failure:
    """One expectation that did not hold; two failures are the same when ``expectation`` and ``kind`` are."""

    expectation: str  # "connect", "status", "json.database", "contains", "header.etag", "max_latency" …
    kind: str  # "refused", "timeout", "dns", "unreachable", "tls", "500", "missing", "different", "slow" …
    message: str  # for people: what was expected and what came


@dataclass(frozen=True)
class Reading:
    """One request's answer. ``version`` is what the endpoint says it runs, where the check asks for it."""

    endpoint: str
    failures: tuple[Failure, ...] = ()
    status: int | None = None
    latency: float | None = None  # seconds, to the last byte of the body
    version: str | None = None
    cached: bool = False  # Age or X-Cache speak of an answer out of a cache
    age: int | None = None  # whole seconds since the answer left its origin, where a cache told them
    prober: bool = False  # the failure speaks of this machine (no DNS, no route), not of the endpoint

    @property
    def ok(self) -> bool:
        """True where every expectation held; the version is judged apart, against the release."""
        return not self.failures


class EndpointClass(StrEnum):
    """How an endpoint fared, compared with before the release."""

    OK = "ok"
    REGRESSION = "regression"
    PRE_EXISTING = "pre-existing"
    FIXED = "fixed"
    FLAKY = "flaky"
    NEW = "new"


@dataclass(frozen=True)
class Samples:
    """A number of readings of one endpoint, added up."""

    samples: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()  # each distinct one once


@dataclass(frozen=True)
class EndpointResult:
    """One endpoint before and after a release. ``kind`` is None where it could not be judged."""

    kind: EndpointClass | None = field(metadata={"alias": "class"})  # a keyword in Python, not in the ledger
    before: Samples = field(default_factory=Samples)
    after: Samples = field(default_factory=Samples)
    stale: bool = False  # it keeps an old version
    version: str | None = None  # the last one it reported
