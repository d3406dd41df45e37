"""Ledger records as JSON: what is written comes back, and what is not understood is neither guessed nor lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.ledger.record import BrokenRecord, decode, encode
from deploykit.model.finding import Finding
from deploykit.model.ledger import InvalidationRecord, LedgerEntry
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
    target=maybe,
    withdrawn_by=maybe,
)


def again(made: LedgerEntry) -> LedgerEntry:
    return decode(encode(made), made.id, "a record")


@given(entries)
def test_an_entry_comes_back_as_it_was_written(made: LedgerEntry) -> None:
    assert again(made) == made


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


def test_an_unknown_verdict_proves_nothing_and_survives() -> None:
    read = decode(altered(verdict="radiant"), release(7), "a record")
    assert read.verdict is None
    assert json.loads(encode(read))["verdict"] == "radiant"


def test_a_verdict_given_here_replaces_an_unknown_one() -> None:
    read = decode(altered(verdict="radiant"), release(7), "a record")
    assert again(replace(read, verdict=Verdict.HEALTHY)).verdict is Verdict.HEALTHY


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
        (altered(services="web"), "services is str"),
        (altered(services={"web": None}), ""),
        (altered(seconds="long"), "seconds is 'long'"),
        (altered(sha=7), "sha is 7"),
        (altered(steps=[{"name": "push", "status": "fine"}]), "status 'fine'"),
    ],
)
def test_a_record_that_cannot_be_read_is_named_with_the_reason(body: bytes, why: str | None) -> None:
    if why is None:  # an empty list is as good as an empty object
        assert decode(body, release(7), "s3://b/releases/x.json").services == {}
        return
    with pytest.raises(BrokenRecord, match=r"s3://b/releases/x\.json") as raised:
        decode(body, release(7), "s3://b/releases/x.json")
    assert why in raised.value.message
