"""Credentials of another account: refused by every command that asks AWS, before it asks anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator import Simulator
from tests.unit.cli_kit import run
from tests.unit.config_files import TEN_LINES

ASKING = ["deploy", "build", "push", "rollout", "invalidate", "check", "rollback", "status", "history", "logs web"]


@pytest.fixture
def other_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploykit.toml").write_text(TEN_LINES, encoding="utf-8")  # account 123456789012
    with Simulator(account="999999999999") as sim:
        monkeypatch.setenv("AWS_ENDPOINT_URL", sim.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield sim


@pytest.mark.parametrize("verb", ASKING)
def test_credentials_of_another_account_are_refused_before_anything_else_is_asked(
    other_account: Simulator, verb: str
) -> None:
    ran = run(*verb.split(), "--json")
    assert ran.code == 4, ran.err
    assert ran.document["api_calls"] == {"total": 1, "by_operation": {"sts:GetCallerIdentity": 1}}
    assert "999999999999" in ran.document["error"]["message"]
    assert "123456789012" in ran.document["error"]["message"]
    assert "AWS_PROFILE" in ran.document["error"]["hint"]


def test_a_refused_deploy_says_refused_in_its_document(other_account: Simulator) -> None:
    assert run("deploy", "--json").document["outcome"] == "refused"


def test_the_first_line_says_where_the_command_acts(other_account: Simulator) -> None:
    assert run("status").out.splitlines()[0] == "shop prod · account 123456789012 · eu-central-1"
    ran = run("status", "--json", environ={"DEPLOYKIT_SANDBOX": "1"})
    assert ran.err.splitlines()[0] == "shop prod · sandbox"


def test_no_credentials_are_out_of_reach_with_what_to_type(
    other_account: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    ran = run("rollback", "--json")
    assert ran.code == 3
    assert "no AWS credentials" in ran.document["error"]["message"]
    assert "aws sso login" in ran.document["error"]["hint"]


def test_an_unknown_error_is_a_bug_with_a_traceback_and_a_document(
    other_account: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no address at all")  # boto3 raises a plain ValueError
    ran = run("deploy", "--json")
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert "a bug in deploykit" in ran.err
    assert ran.document["exit_code"] == 1
