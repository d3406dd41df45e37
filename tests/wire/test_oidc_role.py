"""The role behind GitHub's token, over real HTTP: what STS is asked, what is renewed, and how its refusals read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from deploykit.edges.aws.session import AwsUnreachable, Throttled, caller_account
from deploykit.edges.aws.web_identity import WebIdentity, audience_of, session_name
from deploykit.errors import DeploykitError, OutOfReach
from tests.simulator.errors import AwsError
from tests.simulator.protocol import Response
from tests.simulator.small import Trust
from tests.wire.oidc_kit import CLAIMS, CLASSIC, IMMUTABLE, ROLE, Job, a_job, jwt

ACCOUNT = "108581769167"
IDP = AwsError("IDPCommunicationError", "Error communicating with the identity provider.")
KEYS = AwsError("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
DOWN = AwsError("InternalFailure", "An internal error occurred.", 500)
SLOWLY = AwsError("Throttling", "Rate exceeded")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    with a_job(monkeypatch) as made:
        yield made


def test_nothing_is_asked_before_the_first_call_and_one_role_serves_all_regions(job: Job) -> None:
    aws = job.aws()
    assert aws.host_of("sts") == "127.0.0.1"
    assert job.tokens.asked == []
    assert caller_account(aws) == caller_account(aws.in_region("eu-central-1")) == ACCOUNT
    assert [operation for operation, _ in job.sts.calls] == ["AssumeRoleWithWebIdentity"] + ["GetCallerIdentity"] * 2
    assert job.sts.calls[0][1] is None  # not signed
    assert aws.calls == {"sts:AssumeRoleWithWebIdentity": 1, "sts:GetCallerIdentity": 2}
    (asked,) = job.sts.asked
    assert asked == {
        "RoleArn": ROLE,
        "RoleSessionName": "deploykit-1234567890-2",
        "WebIdentityToken": job.tokens.given[0],
        "DurationSeconds": 3600,
    }


def test_everything_secret_is_masked(job: Job) -> None:
    caller_account(job.aws())
    (key,) = job.sts.sts.handed
    assert job.masked == [job.tokens.given[0], f"secret of {key}", f"session of {key}", key]


def test_a_long_run_renews_its_credentials_before_they_end(job: Job) -> None:
    job.sts.sts.lasts = 20 * 60
    aws = job.aws()
    for _ in range(12):  # an hour
        assert caller_account(aws) == ACCOUNT
        job.clock.sleep(5 * 60)
    assert len(job.sts.asked) == len(set(job.tokens.given)) == 6  # 15 minutes before the end: every 10 here
    assert len(set(job.sts.keys)) == 6


def test_credentials_that_cannot_be_renewed_yet_are_used_on(job: Job) -> None:
    job.sts.sts.lasts = 20 * 60
    aws = job.aws()
    caller_account(aws)
    job.clock.sleep(6 * 60)  # 14 minutes are left
    job.tokens.failures = [Response(500)] * 4
    caller_account(aws)
    caller_account(aws)
    first, second, third = job.sts.keys
    assert first == second != third


def test_a_github_that_is_gone_when_they_end_is_something_to_wait_for(job: Job) -> None:
    job.sts.sts.lasts = 20 * 60
    aws = job.aws()
    caller_account(aws)
    job.clock.sleep(21 * 60)
    job.tokens.failures = [Response(500)] * 4
    with pytest.raises(AwsUnreachable, match="GitHub gave no OIDC token"):  # a poll asks again
        caller_account(aws)
    assert caller_account(aws) == ACCOUNT


@pytest.mark.parametrize("failures", [[IDP], [KEYS, DOWN], [SLOWLY, IDP, DOWN]])
def test_what_passes_at_sts_is_tried_again_with_a_new_token(job: Job, failures: list[AwsError]) -> None:
    job.sts.failures = list(failures)
    assert caller_account(job.aws()) == ACCOUNT
    sent = [asked["WebIdentityToken"] for asked in job.sts.asked]
    assert sent == job.tokens.given
    assert len(set(sent)) == len(failures) + 1
    assert job.clock.slept > 0


@pytest.mark.parametrize(("failure", "kind"), [(IDP, AwsUnreachable), (DOWN, AwsUnreachable), (SLOWLY, Throttled)])
def test_what_stays_so_is_out_of_reach_after_four_tries(
    job: Job, failure: AwsError, kind: type[DeploykitError]
) -> None:
    job.sts.failures = [failure] * 9
    job.refused(kind)
    assert len(job.sts.asked) == 4


def test_no_sts_is_out_of_reach(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    job.refused(AwsUnreachable)


def condition(hint: str) -> dict[str, dict[str, object]]:
    """The lines of the hint, pasted between the braces of a policy's ``Condition``."""
    found: dict[str, dict[str, object]] = json.loads("{" + hint.partition("\n")[2] + "}")
    return found


@pytest.mark.parametrize("subject", [CLASSIC, IMMUTABLE])
def test_a_refused_role_shows_the_token_and_the_condition_that_lets_it_in(job: Job, subject: str) -> None:
    job.tokens.claims["sub"] = subject
    job.sts.sts.trusts[ROLE] = Trust(("repo:ann/shop:ref:refs/heads/main",))
    error = job.refused()
    assert len(job.sts.asked) == 1
    assert f'assume {ROLE}: its token has sub "{subject}" and aud "sts.amazonaws.com"' in error.message
    issuer = "token.actions.githubusercontent.com"
    assert condition(error.hint) == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
        "StringLike": {f"{issuer}:sub": [CLASSIC, IMMUTABLE]},
    }
    job.sts.sts.trusts[ROLE] = Trust((CLASSIC, IMMUTABLE))
    assert caller_account(job.aws()) == ACCOUNT


def test_a_role_that_does_not_exist_is_refused_as_aws_does(job: Job) -> None:
    with pytest.raises(OutOfReach, match="role/none"):
        caller_account(job.aws("arn:aws:iam::108581769167:role/none"))
    assert len(job.sts.asked) == 1


def test_a_token_for_another_audience_needs_the_identity_provider(job: Job) -> None:
    job.sts.sts.trusts[ROLE] = Trust((CLASSIC,), aud="https://github.com/ann")
    error = job.refused()
    assert "Incorrect token audience" in error.message
    assert 'https://token.actions.githubusercontent.com with the audience "sts.amazonaws.com"' in error.hint


def test_an_expired_token_is_told_with_what_it_can_be(job: Job) -> None:
    job.tokens.lasts = -1
    error = job.refused()
    assert "expired" in error.message
    assert len(job.sts.asked) == 1


def test_any_other_refusal_keeps_the_words_of_aws(job: Job) -> None:
    job.sts.failures = [AwsError("RegionDisabledException", "STS is not activated in this region", 403)]
    assert "RegionDisabledException: STS is not activated" in job.refused().message


def test_a_text_of_aws_that_quotes_the_token_is_told_without_it(job: Job) -> None:
    job.tokens.failures = [Response(200, json.dumps({"value": jwt(CLAIMS)}).encode())]
    job.sts.failures = [AwsError("InvalidIdentityToken", f"{jwt(CLAIMS)} is not valid")]
    assert "… is not valid" in job.refused().message


def test_a_clock_that_is_hours_off_is_named(job: Job) -> None:
    job.sts.sts.lasts = -3600
    assert "clock" in job.refused().hint


def test_sts_is_called_in_the_region_of_the_environment(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "legacy")
    identity = WebIdentity(ROLE, "us-east-1", "deploykit", job.endpoint(), job.clock, job.masked.append)
    assert identity._client().meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"GITHUB_RUN_ID": "17", "GITHUB_RUN_ATTEMPT": "3"}, "deploykit-17-3"),
        ({}, "deploykit"),
        ({"GITHUB_RUN_ID": "a b/ü:1"}, "deploykit-a-b---1"),
        ({"GITHUB_RUN_ID": "9" * 99}, f"deploykit-{'9' * 54}"),
    ],
)
def test_the_session_is_named_after_the_run(job: Job, environ: dict[str, str], name: str) -> None:
    assert session_name(environ) == name
    caller_account(job.aws(**{"GITHUB_RUN_ID": "", "GITHUB_RUN_ATTEMPT": "", **environ}))
    assert job.sts.asked[0]["RoleSessionName"] == name


def test_a_name_that_is_too_long_would_be_refused(job: Job) -> None:
    token = job.endpoint().token("sts.amazonaws.com").value
    with pytest.raises(AwsError, match="roleSessionName"):
        job.sts.sts.assume_role_with_web_identity(
            {"RoleArn": ROLE, "RoleSessionName": "9" * 65, "WebIdentityToken": token}
        )


def test_china_has_an_audience_of_its_own(job: Job) -> None:
    role = ROLE.replace("arn:aws:", "arn:aws-cn:")
    job.sts.sts.trusts = {role: Trust((CLASSIC,), aud="sts.amazonaws.com.cn")}
    assert caller_account(job.aws(role)) == ACCOUNT
    assert job.tokens.asked[0].query["audience"] == "sts.amazonaws.com.cn"
    assert audience_of(ROLE.replace("arn:aws:", "arn:aws-us-gov:")) == "sts.amazonaws.com"
