"""Compares what an endpoint answered with what is expected. Pure: an `Answer` in, `Failure` values out.

A part that is missing from the response fails its expectation; it never passes as zero or empty.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deploykit.config.checks import Expect, Matchers, VersionCheck
from deploykit.model.probe import Failure
from deploykit.probes.paths import MISSING, Missing, is_number, look_up, same

BODY_LIMIT = 1024 * 1024  # bytes of a body that are read: enough for any health check


@dataclass(frozen=True)
class Answer:
    """One HTTP response. ``latency`` in seconds to the last byte; ``certificate_days`` is None without TLS.

    ``body`` is decoded as Content-Encoding says; ``charset`` is the one that Content-Type names, if it does.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    truncated: bool = False  # the body is longer than `BODY_LIMIT`
    latency: float = 0.0
    certificate_days: float | None = None
    charset: str | None = None

    def header(self, name: str) -> str | None:
        """The header's value, whatever the case of its name; several are joined with a comma, as in HTTP."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @cached_property
    def text(self) -> str:
        try:
            return self.body.decode(self.charset or "utf-8", errors="replace")
        except (LookupError, ValueError):  # Python does not know it, or it is not for text
            return self.body.decode("utf-8", errors="replace")

    @cached_property
    def document(self) -> Any:
        """The body as JSON, or `NOT_JSON`. Python's parser accepts NaN and Infinity, which are not JSON."""
        try:
            return json.loads(self.text if self.charset else self.body, parse_constant=_refuse)
        except (ValueError, RecursionError):
            return NOT_JSON

    @property
    def cached(self) -> bool:
        """True where a cache answered: only caches send Age (RFC 9111 5.1).

        CloudFront also says "Hit from cloudfront" or "RefreshHit from cloudfront" in X-Cache.
        """
        return self.age is not None or "hit" in (self.header("x-cache") or "").lower()

    @property
    def age(self) -> int | None:
        """Whole seconds since the answer left its origin, rounded down; None where no cache sent it (RFC 9111 5.1)."""
        said = (self.header("age") or "").strip()
        return int(said) if said.isascii() and said.isdigit() else None


NOT_JSON = object()


def failures(expect: Expect, answer: Answer) -> tuple[Failure, ...]:
    """Every expectation that ``answer`` does not meet, in the order of the file's keys."""
    return tuple(_failures(expect, answer))


def version_of(check: VersionCheck | None, answer: Answer) -> str | None:
    """The version that the endpoint reports where ``check`` looks for it; None where there is none."""
    if check is None:
        return None
    found: Any = None
    if check.header is not None:
        found = answer.header(check.header)
    elif check.json is not None and answer.document is not NOT_JSON:
        try:
            found = look_up(answer.document, check.json)
        except ValueError:
            return None
    if is_number(found):
        return str(found)
    return (found.strip() or None) if isinstance(found, str) else None


def _failures(expect: Expect, answer: Answer) -> Iterator[Failure]:
    if answer.status not in expect.status:
        statuses = " or ".join(map(str, expect.status))
        location = answer.header("location")
        leads = f", a redirect to {_short(location)}" if location and 300 <= answer.status < 400 else ""
        yield Failure("status", str(answer.status), f"status is {answer.status}{leads}, not {statuses}")
    for path, wanted in expect.json.items():
        yield from _json(path, wanted, answer)
    if expect.contains is not None and expect.contains not in answer.text:
        yield _body("contains", f"does not contain {_short(expect.contains)}", answer)
    if expect.matches is not None and not re.search(expect.matches, answer.text):
        yield _body("matches", f"does not match {_short(expect.matches)}", answer)
    for name, wanted in expect.headers.items():
        yield from _header(name, wanted, answer)
    if expect.max_latency is not None and answer.latency > expect.max_latency:
        took, limit = f"{answer.latency * 1000:.0f} ms", f"{expect.max_latency * 1000:.0f} ms"
        yield Failure("max_latency", "slow", f"answered in {took}, more than the {limit} allowed")
    if expect.certificate_days is not None:
        yield from _certificate(expect.certificate_days, answer)


def _body(expectation: str, message: str, answer: Answer) -> Failure:
    if answer.truncated:
        return Failure(expectation, "too large", f"body is longer than {BODY_LIMIT} bytes, and its beginning {message}")
    return Failure(expectation, "missing" if not answer.body else "different", f"body {message}")


def _json(path: str, wanted: Any, answer: Answer) -> Iterator[Failure]:
    expectation = f"json.{path}" if path else "json"
    if answer.truncated:
        yield Failure(expectation, "too large", f"body is longer than {BODY_LIMIT} bytes: not read as JSON")
    elif answer.document is NOT_JSON:
        yield Failure(expectation, "not json", f"body is not JSON: {_short(answer.text) if answer.body else 'empty'}")
    else:
        try:
            found = look_up(answer.document, path)
        except ValueError as error:
            yield Failure(expectation, "bad path", str(error))
            return
        if isinstance(wanted, Matchers):
            yield from _matchers(expectation, path or "the document", wanted, found)
        elif isinstance(found, Missing):
            yield Failure(expectation, "missing", f"{path} is missing, expected {_short(wanted)}")
        elif not same(wanted, found):
            yield Failure(expectation, "different", f"{path or 'body'} is {_short(found)}, expected {_short(wanted)}")


def _header(name: str, wanted: Any, answer: Answer) -> Iterator[Failure]:
    expectation, subject, text = f"header.{name.lower()}", f"header {name}", answer.header(name)
    if isinstance(wanted, Matchers):
        yield from _matchers(expectation, subject, wanted, MISSING if text is None else text)
    elif text is None:
        yield Failure(expectation, "missing", f"{subject} is missing, expected {_short(wanted)}")
    elif text.strip() != str(wanted):
        yield Failure(expectation, "different", f"{subject} is {_short(text)}, expected {_short(wanted)}")


def _matchers(expectation: str, subject: str, wanted: Matchers, found: Any) -> Iterator[Failure]:
    if isinstance(found, Missing):
        if wanted.exists is not False or wanted.matches is not None or wanted.gt is not None or wanted.lt is not None:
            yield Failure(expectation, "missing", f"{subject} is missing")
        return
    if wanted.exists is False:
        yield Failure(expectation, "present", f"{subject} is {_short(found)}, but must be absent")
    if wanted.matches is not None and not (isinstance(found, str) and re.search(wanted.matches, found)):
        message = f"{subject} is {_short(found)}, does not match {_short(wanted.matches)}"
        yield Failure(expectation, "different", message)
    number: Any = _number(found) if expectation.startswith("header.") else found
    for word, bound, holds in (("greater", wanted.gt, operator.gt), ("less", wanted.lt, operator.lt)):
        if bound is None:
            continue
        message = f"{subject} is {_short(found)}, expected a number {word} than {bound}"
        if not is_number(number):
            yield Failure(expectation, "not a number", message)
        elif not holds(number, bound):
            yield Failure(expectation, f"not {word}", message)


def _certificate(days: int, answer: Answer) -> Iterator[Failure]:
    if answer.certificate_days is None:
        yield Failure("certificate_days", "missing", "no certificate: the answer did not come over https")
    elif answer.certificate_days < days:
        left = f"{answer.certificate_days:.1f}"
        yield Failure("certificate_days", "expires", f"certificate is valid for {left} more days, expected {days}")


def _number(text: Any) -> float | None:
    # Header values are text. Only plain decimals are numbers; float() would also take "nan" and "1_0".
    return float(text) if isinstance(text, str) and re.fullmatch(r"\s*-?\d+(\.\d+)?\s*", text) else None


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else text[:117] + "..."


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
