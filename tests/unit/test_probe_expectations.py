"""What an answer must look like to meet an endpoint's expectations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.config.checks import Expect, VersionCheck
from deploykit.probes.expect import BODY_LIMIT, Answer, failures, version_of
from deploykit.probes.paths import MISSING, look_up, parse_path, same


def answer(document: Any = None, **keys: Any) -> Answer:
    body = b"" if document is None else json.dumps(document).encode()
    return Answer(**{"status": 200, "body": body, **keys})


def kinds(expect: dict[str, Any], given_answer: Answer) -> list[tuple[str, str]]:
    return [(each.expectation, each.kind) for each in failures(Expect.model_validate(expect), given_answer)]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("database", ("database",)),
        ("a.b.c", ("a", "b", "c")),
        ("items.0.name", ("items", "0", "name")),
        ('"a.b".c', ("a.b", "c")),
        ('a."b.c"', ("a", "b.c")),
        (r'"say \"hi\""', ('say "hi"',)),
        ("", ()),
    ],
)
def test_a_path_names_keys_and_list_items(path: str, steps: tuple[str, ...]) -> None:
    assert parse_path(path) == steps


@pytest.mark.parametrize("path", [".a", "a.", "a..b", '"a', 'a"b"', '"a"b'])
def test_a_path_that_cannot_be_read_is_refused_and_quoted(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        parse_path(path)


def test_list_items_go_by_number_and_numbers_are_keys_of_objects_too() -> None:
    document = {"items": [{"name": "a"}, {"name": "b"}], "7": "seven", "a.b": 1}
    assert look_up(document, "items.1.name") == "b"
    assert look_up(document, "7") == "seven"
    assert look_up(document, '"a.b"') == 1
    for path in ("items.2", "items.-1", "items.x", "items.1.name.0", "a.b", "items.9999999999999", "items.²"):
        assert look_up(document, path) is MISSING, path


@pytest.mark.parametrize(
    ("expected", "actual", "equal"),
    [
        (True, 1, False),
        (1, True, False),
        ("3", 3, False),
        (3, 3.0, True),
        (0, False, False),
        ([1, True], [1, 1], False),
        ([1, "a"], [1, "a"], True),
        ({"a": 1}, {"a": True}, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ([], None, False),
        ("", None, False),
    ],
)
def test_literals_are_compared_as_json_with_their_types(expected: Any, actual: Any, equal: bool) -> None:
    assert same(expected, actual) is equal


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(json_values)
def test_every_json_value_is_the_same_as_itself_read_back(value: Any) -> None:
    assert same(value, json.loads(json.dumps(value)))


def test_a_good_answer_has_no_failures() -> None:
    expect = {
        "status": [200, 204],
        "json": {"status": "ok", "queue": {"lt": 5, "gt": 0}, "nothing": {"exists": False}, "name": {"matches": "^a"}},
        "contains": '"ok"',
        "matches": "stat.s",
        "headers": {"Content-Type": "application/json", "x-count": {"gt": 2}},
        "max_latency": 1.0,
        "certificate_days": 14,
    }
    good = answer(
        {"status": "ok", "queue": 3, "name": "abc"},
        headers=(("content-type", "application/json"), ("X-Count", "3")),
        latency=0.2,
        certificate_days=30.0,
    )
    assert kinds(expect, good) == []


@pytest.mark.parametrize(
    "expect",
    [
        {"json": {"queue": {"lt": 500}}},
        {"json": {"queue": {"gt": -1}}},
        {"json": {"queue": {"exists": True}}},
        {"json": {"queue": {"matches": ""}}},
        {"json": {"queue": {"exists": False, "lt": 5}}},
        {"json": {"queue": 0}},
        {"json": {"queue": False}},
        {"json": {"queue": ""}},
        {"headers": {"x-queue": {"lt": 500}}},
        {"headers": {"x-queue": {"matches": ""}}},
        {"headers": {"x-queue": {"exists": True}}},
        {"certificate_days": 1},
    ],
)
@pytest.mark.parametrize("document", [{}, {"other": 1}, [], "text", 0])
def test_what_is_missing_fails_and_never_passes_as_zero_or_empty(expect: dict[str, Any], document: Any) -> None:
    assert [kind for _, kind in kinds(expect, answer(document))] == ["missing"]


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"\xff\xfe", b"NaN", b"[" * 100_000, b"1" * 10_000])
def test_a_body_that_is_not_json_fails_every_json_expectation_and_breaks_nothing(body: bytes) -> None:
    expect = {"json": {"queue": {"lt": 5}, "gone": {"exists": False}}}
    assert kinds(expect, Answer(200, body=body)) == [("json.queue", "not json"), ("json.gone", "not json")]


@pytest.mark.parametrize(
    ("expect", "document", "failure"),
    [
        ({"json": {"a": 3}}, {"a": "3"}, ("json.a", "different")),
        ({"json": {"a": {"gt": 3}}}, {"a": 3}, ("json.a", "not greater")),
        ({"json": {"a": {"lt": 3}}}, {"a": 3}, ("json.a", "not less")),
        ({"json": {"a": {"lt": 3}}}, {"a": "1"}, ("json.a", "not a number")),
        ({"json": {"a": {"lt": 3}}}, {"a": True}, ("json.a", "not a number")),
        ({"json": {"a": {"lt": 3}}}, {"a": None}, ("json.a", "not a number")),
        ({"json": {"a": {"matches": "1"}}}, {"a": 1}, ("json.a", "different")),
        ({"json": {"a": {"exists": False}}}, {"a": None}, ("json.a", "present")),
        ({"json": {"a..b": 1}}, {"a": 1}, ("json.a..b", "bad path")),
        ({"status": 200}, None, None),
        ({"contains": "x"}, None, ("contains", "missing")),
        ({"contains": "x"}, {"a": 1}, ("contains", "different")),
        ({"matches": "^x"}, {"a": 1}, ("matches", "different")),
    ],
)
def test_each_expectation_says_what_did_not_hold(
    expect: dict[str, Any], document: Any, failure: tuple[str, str] | None
) -> None:
    assert kinds(expect, answer(document)) == ([failure] if failure else [])


def test_a_redirect_that_is_not_followed_says_where_it_leads() -> None:
    (failure,) = failures(Expect(), Answer(302, (("Location", "/login"),)))
    assert (failure.expectation, failure.kind) == ("status", "302")
    assert failure.message == 'status is 302, a redirect to "/login", not 200'


def test_a_header_number_is_a_plain_decimal_only() -> None:
    expect = {"headers": {"x": {"lt": 5}}}
    for text in ("nan", "1_0", "", "0x1", "infinity"):
        assert kinds(expect, answer(headers=(("x", text),))) == [("header.x", "not a number")], text
    assert kinds(expect, answer(headers=(("X", " 4.5 "),))) == []


def test_a_slow_answer_and_a_certificate_that_ends_soon_fail() -> None:
    late = answer(latency=2.5, certificate_days=3.2)
    assert kinds({"max_latency": 2.0, "certificate_days": 14}, late) == [
        ("max_latency", "slow"),
        ("certificate_days", "expires"),
    ]


def test_a_body_too_large_fails_only_what_needs_the_rest_of_it() -> None:
    large = Answer(200, body=b"hello " + b"x" * (BODY_LIMIT - 6), truncated=True)
    assert kinds({}, large) == []
    assert kinds({"contains": "hello"}, large) == []
    assert kinds({"contains": "bye", "json": {"a": 1}, "matches": "y$"}, large) == [
        ("json.a", "too large"),
        ("contains", "too large"),
        ("matches", "too large"),
    ]


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        ((), False),
        ((("Age", "12"),), True),
        ((("Age", "0"),), True),
        ((("X-Cache", "Hit from cloudfront"),), True),
        ((("X-Cache", "RefreshHit from cloudfront"),), True),
        ((("X-Cache", "Miss from cloudfront"),), False),
        ((("Age", "soon"),), False),
    ],
)
def test_age_and_x_cache_tell_an_answer_out_of_a_cache(headers: tuple[tuple[str, str], ...], cached: bool) -> None:
    assert Answer(200, headers).cached is cached


def test_the_version_is_read_from_json_or_header_and_is_none_where_it_is_not_given() -> None:
    shown = answer({"version": "abc", "build": {"number": 7}, "none": None}, headers=(("X-Release", " def "),))
    assert version_of(VersionCheck(json="version"), shown) == "abc"
    assert version_of(VersionCheck(json="build.number"), shown) == "7"
    assert version_of(VersionCheck(header="x-release"), shown) == "def"
    assert version_of(None, shown) is None
    for path in ("none", "build", "gone", "a..b"):
        assert version_of(VersionCheck(json=path), shown) is None, path
    assert version_of(VersionCheck(json="version"), Answer(200, body=b"<html>")) is None


@pytest.mark.parametrize("charset", ["klingon", "hex", "idna", "undefined", "\0"])
def test_a_charset_that_reads_no_text_is_taken_for_utf_8(charset: str) -> None:
    given_answer = answer({"word": "Grüße"}, charset=charset)
    assert kinds({"contains": "word", "json": {"word": "Grüße"}}, given_answer) == []
