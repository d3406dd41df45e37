"""Ledger records as JSON: what is written comes back, and what is not understood is neither guessed nor lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.ledger.codec import BrokenRecord, decode, encode
from deploykit.model.finding import Finding
from deploykit.model.ledger import InvalidationRecord, LedgerEntry
from deploykit.model.migration import OUTCOMES, MigrationRecord
from deploykit.model.probe import EndpointClass, EndpointResult, Failure, Samples
from deploykit.model.release import Outcome, ReleasedService, Verdict
from deploykit.model.report import StepReport
from tests.unit.ledger_kit import entry, release

text = st.text(max_size=12)
maybe = st.none() | text
numbers = st.floats(0, 1e6, allow_nan=False)
failures = st.builds(Failure, text, text, text)
samples = st.builds(Samples, st.integers(0, 99), st.integers(0, 99), st.lists(failures, max_size=2).map(tuple))
results = st.builds(EndpointResult, st.none() | st.sampled_from(EndpointClass), samples, samples, st.booleans(), maybe)
findings = st.builds(
    Finding,
    st.text(min_size=1, max_size=9),
    st.sampled_from(["error", "warning"]),
    st.sampled_from(["high", "medium", "low"]),
    *[text, text],
    evidence=st.lists(text, max_size=2).map(tuple),
    hint=text,
    runbook=text,
)
invalidations = st.builds(
    InvalidationRecord,
    *[text, text],
    st.sampled_from(["release", "undo", "stale", "step"]),
    st.integers(0, 9),
    text,
    st.lists(text, max_size=2).map(tuple),
    maybe,
)
migrations = st.builds(
    MigrationRecord,
    *[text, text, text],
    st.none() | st.sampled_from(OUTCOMES),
    st.integers(1, 9),
    maybe,
    maybe,
    st.none() | st.integers(0, 255),
    text,
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
KNOWN = {"schema", *(field.name for field in fields(LedgerEntry))} - {"extra"}
unknown = st.dictionaries(text.filter(lambda name: name not in KNOWN), values, max_size=3)
entries = st.builds(
    LedgerEntry,
    id=st.just(release(7)),
    kind=st.sampled_from(["deploy", "rollback", "step"]),
    command=st.text(min_size=1, max_size=9),
    environment=text,
    sha=maybe,
    previous_sha=maybe,
    started=text,
    by=text,
    committed=maybe,
    ended=maybe,
    host=text,
    run_url=maybe,
    seconds=st.none() | numbers,
    verdict=st.none() | st.sampled_from(Verdict),
    outcome=st.none() | st.sampled_from(Outcome),
    reason=maybe,
    services=st.dictionaries(
        text, st.builds(ReleasedService, text, maybe, maybe, maybe, text, maybe, st.booleans()), max_size=3
    ).map(lambda services: {key: replace(service, service=key) for key, service in services.items()}),
    baseline=st.none() | st.dictionaries(text, samples, max_size=2),
    checks=st.dictionaries(text, results, max_size=2),
    findings=st.lists(findings, max_size=2).map(tuple),
    steps=st.lists(
        st.builds(StepReport, text, st.sampled_from(["done", "skipped", "failed", "undone"]), numbers), max_size=3
    ).map(tuple),
    invalidations=st.lists(invalidations, max_size=2).map(tuple),
    migrations=st.dictionaries(text, migrations, max_size=2),
    target=maybe,
    withdrawn_by=maybe,
    extra=unknown,
)


def again(made: LedgerEntry) -> LedgerEntry:
    return decode(encode(made), made.id, "a record")


@given(entries)
def test_an_entry_comes_back_as_it_was_written(made: LedgerEntry) -> None:
    assert again(made) == made


@given(entries)
def test_a_record_that_is_read_and_written_again_keeps_every_byte(made: LedgerEntry) -> None:
    assert encode(again(made)) == encode(made)


def test_a_record_says_its_schema_and_uses_the_words_of_the_reports() -> None:
    made = replace(entry(7, {"web": 3}), checks={"home": EndpointResult(EndpointClass.PRE_EXISTING)})
    document = json.loads(encode(made))
    assert document["schema"] == 1
    assert document["verdict"] == "healthy"
    assert document["checks"]["home"]["class"] == "pre-existing"
    assert document["services"]["web"]["task_definition"].endswith(":task-definition/web:3")


def altered(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode(entry(7, {"web": 3}))), **fields}).encode()


def test_fields_of_a_newer_deploykit_survive_being_written_again() -> None:
    read = decode(altered(lane="blue", weights={"web": [1, 2]}), release(7), "a record")
    written = json.loads(encode(replace(read, reason="changed here")))
    assert (written["lane"], written["weights"], written["reason"]) == ("blue", {"web": [1, 2]}, "changed here")


@given(unknown)
def test_every_field_of_a_newer_deploykit_is_kept_as_it_was(more: dict[str, Any]) -> None:
    read = decode(altered(**more), release(7), "a record")
    assert read.extra == more
    assert json.loads(encode(read)) == json.loads(altered(**more))


def test_an_unknown_verdict_proves_nothing_and_survives() -> None:
    read = decode(altered(verdict="radiant"), release(7), "a record")
    assert read.verdict is None
    assert json.loads(encode(read))["verdict"] == "radiant"


def test_a_verdict_given_here_replaces_an_unknown_one() -> None:
    read = decode(altered(verdict="radiant"), release(7), "a record")
    assert again(replace(read, verdict=Verdict.HEALTHY)).verdict is Verdict.HEALTHY


def test_unknown_words_inside_a_record_promise_nothing() -> None:
    checks = {"home": {"class": "sparkling", "before": None, "after": {"samples": 3, "failures": [{"kind": "500"}]}}}
    finding = {"severity": "fatal", "confidence": "total", "summary": "it fell over"}
    read = decode(altered(checks=checks, findings=[finding]), release(7), "a record")
    assert read.checks["home"] == EndpointResult(None, Samples(), Samples(3, 0, (Failure("", "500", ""),)))
    assert read.findings == (Finding("unknown", "error", "low", "", "it fell over"),)


def test_a_record_of_the_first_version_still_reads() -> None:
    made = entry(7, {"web": 3}, seconds=31.5, steps=(StepReport("rollout", "done", 30.25),))
    document = json.loads(encode(made))
    for later in ("committed", "ended", "migrations"):
        del document[later]
    assert decode(json.dumps(document).encode(), made.id, "a record") == made


def test_a_service_is_the_one_whose_key_it_stands_under() -> None:
    read = decode(altered(services={"web": {}, "api": {"service": "web", "changed": True}}), release(7), "a record")
    assert {key: (item.service, item.changed) for key, item in read.services.items()} == {
        "web": ("web", False),
        "api": ("api", True),
    }


def test_missing_fields_are_tolerated_and_promise_nothing() -> None:
    read = decode(b'{"sha": "1a2b3c4"}', release(7), "a record")
    assert (read.id, read.kind, read.verdict, read.services) == (release(7), "step", None, {})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "list"),
        (altered(schema=2), "schema is 2"),
        (altered(kind="party"), "kind is 'party'"),
        (altered(services=[]), None),
        (altered(services="web"), "services is 'web'"),
        (altered(services={"web": None}), ""),
        (altered(seconds="long"), "seconds is 'long'"),
        (altered(sha=7), "sha is 7"),
        (altered(steps=[{"name": "push", "status": "fine"}]), "status is 'fine'"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_with_the_reason(body: bytes, why: str | None) -> None:
    if why is None:  # an empty list is as good as an empty object
        assert decode(body, release(7), "s3://b/releases/x.json").services == {}
        return
    with pytest.raises(BrokenRecord, match=r"s3://b/releases/x\.json") as raised:
        decode(body, release(7), "s3://b/releases/x.json")
    assert why in raised.value.message


def test_a_broken_record_says_which_field_and_how_many_more() -> None:
    body = altered(migrations={"api": {"attempt": "twice"}}, invalidations=[{"cdn": "site"}])
    with pytest.raises(BrokenRecord) as raised:
        decode(body, release(7), "releases/x.json")
    assert raised.value.message == (
        "ledger record releases/x.json cannot be read: invalidations.0.purpose is missing, and 1 more"
    )


def reads_or_says_why(body: bytes) -> bool:
    """True where ``body`` reads as an entry that can be written again; False where it is refused by name."""
    try:
        read = decode(body, release(7), "releases/x.json")
    except BrokenRecord as broken:
        why = broken.message
    else:
        assert encode(decode(encode(read), release(7), "releases/x.json")) == encode(read)
        return True
    assert why.startswith("ledger record releases/x.json cannot be read: ")
    return False


@given(entries, st.data())
def test_a_record_cut_off_anywhere_is_refused(made: LedgerEntry, data: st.DataObject) -> None:
    body = encode(made).rstrip()
    assert not reads_or_says_why(body[: data.draw(st.integers(0, len(body) - 1))])


@given(entries, st.binary(min_size=1, max_size=9), st.data())
def test_a_record_with_bytes_overwritten_never_ends_in_a_traceback(
    made: LedgerEntry, junk: bytes, data: st.DataObject
) -> None:
    body = encode(made)
    start = data.draw(st.integers(0, len(body) - 1))
    reads_or_says_why(body[:start] + junk + body[start + len(junk) :])


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document below its root."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*way, key)
        yield from places(inner, (*way, key))


@given(entries, values, st.data())
def test_a_record_with_any_value_replaced_never_ends_in_a_traceback(
    made: LedgerEntry, value: Any, data: st.DataObject
) -> None:
    document = json.loads(encode(made))
    *way, last = data.draw(st.sampled_from(list(places(document))))
    holder = document
    for key in way:
        holder = holder[key]
    holder[last] = value
    reads_or_says_why(json.dumps(document).encode())


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[" * 100_000, b'{"reason": "\\ud800"}', b'{"seconds": ' + b"9" * 5000 + b"}"]
)
def test_what_no_deploykit_wrote_is_refused(body: bytes) -> None:
    assert not reads_or_says_why(body)


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf{}", b'{"seconds": 1e999}', b'{"later": NaN}', b'{"kind": null}'])
def test_what_an_editor_or_another_program_wrote_is_read(body: bytes) -> None:
    assert reads_or_says_why(body)
