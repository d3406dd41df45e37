"""GitHub's OIDC token over real HTTP: how it is asked for, what is tried again, and when it is wanted at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploykit.edges.aws.web_identity import WebIdentity, Wish, provider_for
from deploykit.edges.oidc import IdToken, NoTokenYet
from deploykit.errors import OutOfReach
from tests.simulator.protocol import Response
from tests.wire.oidc_kit import BEARER, CLAIMS, CLASSIC, IMMUTABLE, ROLE, Job, a_job, jwt


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    with a_job(monkeypatch) as made:
        yield made


# -- the token -----------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_as_the_documentation_says(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    token = job.endpoint().token("sts.amazonaws.com")
    assert (token.claim("sub"), token.claim("aud")) == (CLASSIC, "sts.amazonaws.com")
    assert job.masked == [token.value]
    assert token.value not in repr(token)
    assert BEARER not in repr(job.endpoint())
    assert job.tokens.asked[0].query == {"api-version": "2.0", "audience": "sts.amazonaws.com"}


def test_an_address_without_a_query_gets_one(job: Job) -> None:
    job.tokens.failures = [Response(200, json.dumps({"value": jwt(CLAIMS)}).encode())]
    assert job.endpoint(url=f"{job.tokens.server.url}/token").token("a b&c").issuer == CLAIMS["iss"][8:]
    assert job.tokens.asked[0].query == {"audience": "a b&c"}


def test_what_passes_is_tried_again(job: Job) -> None:
    job.tokens.failures = [Response(503), Response(429), Response(0)]  # the last: a connection that is cut
    assert job.endpoint().token("sts.amazonaws.com").value == job.tokens.given[0]
    assert len(job.tokens.asked) == 4
    assert job.clock.slept > 0


def test_a_github_that_stays_busy_is_asked_four_times(job: Job) -> None:
    job.tokens.failures = [Response(502)] * 9
    with pytest.raises(NoTokenYet, match="HTTP 502, 4 times"):
        job.endpoint().token("sts.amazonaws.com")
    assert len(job.tokens.asked) == 4


def test_a_wrong_bearer_is_refused_once_and_never_told(job: Job) -> None:
    with pytest.raises(OutOfReach, match="HTTP 401") as caught:
        job.endpoint(bearer="wrong bearer").token("sts.amazonaws.com")
    assert len(job.tokens.asked) == 1
    assert "id-token: write" in caught.value.hint
    assert "wrong bearer" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "answer",
    [
        Response(400),
        Response(404),
        Response(302, headers={"Location": "http://127.0.0.1:9/"}),
        Response(200, b"<html>"),
        Response(200, b"[]"),
        Response(200, b'{"value": null}'),
        Response(200, b'{"value": 7}'),
    ],
)
def test_what_is_no_token_is_out_of_reach_at_once(job: Job, answer: Response) -> None:
    job.tokens.failures = [answer]
    with pytest.raises(OutOfReach) as caught:
        job.endpoint().token("sts.amazonaws.com")
    assert type(caught.value) is OutOfReach
    assert len(job.tokens.asked) == 1


@pytest.mark.parametrize(
    "changed", [{"bearer": "two\nlines"}, {"bearer": "kľúč"}, {"url": "nonsense"}, {"url": "http://[::1"}]
)
def test_an_address_or_a_bearer_that_is_none_is_out_of_reach(job: Job, changed: dict[str, str]) -> None:
    with pytest.raises(OutOfReach) as caught:
        job.endpoint(**changed).token("sts.amazonaws.com")
    assert changed.get("bearer", BEARER) not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("claims", "subjects"),
    [
        (CLAIMS, (CLASSIC, IMMUTABLE)),
        ({**CLAIMS, "sub": IMMUTABLE}, (CLASSIC, IMMUTABLE)),
        ({"sub": CLASSIC}, (CLASSIC,)),
        ({"sub": IMMUTABLE}, (CLASSIC, IMMUTABLE)),
        ({**CLAIMS, "sub": "repo:ann/shop:ref:refs/heads/main"},
         ("repo:ann/shop:ref:refs/heads/main", "repo:ann@12/shop@345:ref:refs/heads/main")),
        ({**CLAIMS, "sub": "environment:prod"}, ("environment:prod",)),
    ],
)  # fmt: skip
def test_a_subject_has_two_forms(claims: Mapping[str, object], subjects: tuple[str, ...]) -> None:
    assert IdToken("", claims).subjects == subjects


# -- the choice ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "set_here", "role", "asks"),
    [
        ("auto", {}, True, True),
        ("auto", {"AWS_ACCESS_KEY_ID": ""}, True, True),
        ("auto", {"AWS_ACCESS_KEY_ID": "AKIA"}, True, False),
        ("auto", {"AWS_PROFILE": "ann"}, True, False),
        ("auto", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token"}, True, False),
        ("auto", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/"}, True, False),
        ("auto", {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2"}, True, False),
        ("auto", {"GITHUB_ACTIONS": ""}, True, True),
        ("env", {}, True, False),
        ("oidc", {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_PROFILE": "ann"}, True, True),
    ],
)
def test_the_credentials_that_somebody_set_win_over_github(
    job: Job, auth: str, set_here: dict[str, str], role: bool, asks: bool
) -> None:
    wish = Wish(auth, "deploy", "prod", {"deploy": ROLE} if role else {}, "us-east-1")
    found = provider_for(wish, job.tokens.environ | set_here, job.clock, job.masked.append)
    assert isinstance(found, WebIdentity) is asks
    assert asks or found is None


@pytest.mark.parametrize(
    ("roles", "missing", "said"),
    [
        ({}, {}, "roles.deploy"),
        ({"plan": ROLE}, {}, "roles.deploy"),
        ({"deploy": ROLE}, {"ACTIONS_ID_TOKEN_REQUEST_URL": ""}, "ACTIONS_ID_TOKEN_REQUEST_URL not set"),
        ({"deploy": ROLE}, {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}, "ACTIONS_ID_TOKEN_REQUEST_TOKEN not set"),
    ],
)
def test_oidc_names_what_is_missing(job: Job, roles: dict[str, str], missing: dict[str, str], said: str) -> None:
    wish = Wish("oidc", "deploy", "prod", roles, "us-east-1")
    with pytest.raises(OutOfReach, match=said):
        provider_for(wish, job.tokens.environ | missing, job.clock, job.masked.append)
