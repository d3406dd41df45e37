"""Whole commands in a job of GitHub Actions: the role that each assumes, what hides its secrets, what is missing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploykit.__main__ import main
from tests.flow.world import Done, World, healthy, shop
from tests.simulator.small import Trust
from tests.wire.oidc_kit import BEARER, CLASSIC, Tokens, tokens

ARN = "arn:aws:iam::108581769167:role/"
ROLES = f'roles = {{ deploy = "{ARN}deploy", plan = "{ARN}plan", check = "{ARN}check" }}\n'
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Job:
    """The shop, in a job that may get tokens and has no other credentials; its environment has three roles."""

    def __init__(self, world: World, github: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.github, self.monkeypatch = world, github, monkeypatch
        self.sets(**dict.fromkeys(KEYS, ""), **github.environ)
        self.roles(ROLES)
        for name in ("deploy", "plan", "check"):
            world.sim.sts.trusts[ARN + name] = Trust((CLASSIC,))

    def sets(self, **values: str) -> None:
        """Variables of the job; empty: not set."""
        for name, value in values.items():
            self.world.environ[name] = value
            if name.startswith("AWS_") and value:
                self.monkeypatch.setenv(name, value)
            else:
                self.monkeypatch.delenv(name, raising=False)

    def roles(self, line: str) -> None:
        config = self.world.folder / "deploykit.toml"
        kept = [each for each in config.read_text().splitlines(True) if not each.startswith("roles =")]
        config.write_text("".join(kept).replace('cluster = "dev"\n', f'cluster = "dev"\n{line}', 1))

    def assumed(self) -> list[str]:
        """The names of the roles that were asked for."""
        calls = [call for call in self.world.sim.calls if call.operation == "AssumeRoleWithWebIdentity"]
        return [call.params["RoleArn"].removeprefix(ARN) for call in calls]

    def secrets(self) -> list[str]:
        handed = self.world.sim.sts.handed
        return [*self.github.given, *(f"{kind} of {key}" for key in handed for kind in ("secret", "session")), *handed]

    def run(self, *argv: str) -> Done:
        """One command; nothing secret stands anywhere but in the lines that hide it."""
        done = self.world.command(*argv)
        lines = [line for line in done.people.splitlines() if not line.startswith("::add-mask::")]
        said = "\n".join([*lines, json.dumps(done.document)])
        assert not [secret for secret in [*self.secrets(), BEARER] if secret in said]
        return done


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    with shop(tmp_path / "shop", monkeypatch) as world, tokens(world.sim.clock) as github:
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield Job(world, github, monkeypatch)


@pytest.mark.parametrize(
    ("verb", "role"),
    [
        ("plan", "plan"),
        ("status", "plan"),
        ("history", "plan"),
        ("logs web", "plan"),
        ("lock show", "plan"),
        ("check", "check"),
        ("build", "deploy"),
        ("push", "deploy"),
        ("migrate", "deploy"),
        ("rollout", "deploy"),
        ("invalidate", "deploy"),
        ("rollback --yes", "deploy"),
        ("lock hold --reason Friday", "deploy"),
        ("lock release", "deploy"),
    ],
)
def test_each_command_assumes_its_role_and_no_other(job: Job, verb: str, role: str) -> None:
    job.world.commit("first")
    done = job.run(*verb.split())
    assert done.code != 3, done.people
    assert job.assumed() == [role]
    assert done.document["api_calls"]["by_operation"]["sts:AssumeRoleWithWebIdentity"] == 1


def test_a_release_is_made_with_the_role_and_its_credentials_are_renewed_on_the_way(job: Job) -> None:
    job.world.sim.sts.lasts = 17 * 60
    job.world.commit("slow", healthy(start=400.0))
    done = job.run("deploy")
    assert done.code == 0, done.people
    assert done.seconds > 5 * 60
    assert set(job.assumed()) == {"deploy"}
    assert len(job.assumed()) == len(set(job.github.given)) > 2
    assert done.document["api_calls"]["by_operation"]["sts:AssumeRoleWithWebIdentity"] == len(job.assumed())


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_secrets_are_hidden_before_anything_is_said_with_them_and_stdout_stays_clean(
    job: Job, more: tuple[str, ...]
) -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    clock = job.world.sim.clock.wall()
    assert main(["lock", "show", *more], clock=clock, environ=job.world.environ, stdout=stdout, stderr=stderr) == 0
    masks = [line for line in stderr.getvalue().splitlines() if line.startswith("::add-mask::")]
    assert masks == [f"::add-mask::{secret}" for secret in job.secrets()]
    assert "add-mask" not in stdout.getvalue()  # it may be kept in a file
    assert not more or json.loads(stdout.getvalue())["exit_code"] == 0


def test_nothing_is_printed_to_hide_secrets_where_no_runner_reads_it(job: Job) -> None:
    job.sets(GITHUB_ACTIONS="")
    done = job.run("lock", "show")
    assert (done.code, job.assumed()) == (0, ["plan"])
    assert "::" not in done.people


def test_keys_that_are_set_come_first_and_long_lived_ones_are_warned_of_once(job: Job) -> None:
    job.sets(AWS_ACCESS_KEY_ID="AKIASIMULATED", AWS_SECRET_ACCESS_KEY="test")
    done = job.run("status")
    assert (done.code, job.github.asked) == (0, [])
    assert done.people.count("AWS_ACCESS_KEY_ID is a long-lived key") == 1
    assert "id-token: write" in done.people


@pytest.mark.parametrize(
    ("other", "roles"),
    [
        ({"AWS_SESSION_TOKEN": "short"}, ROLES),
        ({"GITHUB_ACTIONS": ""}, ROLES),
        ({"DEPLOYKIT_SANDBOX": "1"}, ROLES),
        ({}, ""),
    ],
)
def test_no_warning_where_there_is_nothing_better(job: Job, other: dict[str, str], roles: str) -> None:
    job.sets(AWS_ACCESS_KEY_ID="AKIASIMULATED", AWS_SECRET_ACCESS_KEY="test", **other)
    job.roles(roles)
    done = job.run("status")
    assert done.code == 0
    assert "long-lived" not in done.people


def test_oidc_wins_over_keys_where_it_is_asked_for_and_the_option_over_the_variable(job: Job) -> None:
    job.sets(AWS_ACCESS_KEY_ID="AKIASIMULATED", AWS_SECRET_ACCESS_KEY="test", DEPLOYKIT_AUTH="oidc")
    done = job.run("status")
    assert (done.code, job.assumed()) == (0, ["plan"])
    assert "long-lived" not in done.people
    assert job.run("status", "--auth", "env").code == 0
    assert job.run("--auth", "auto", "lock", "show").code == 0
    assert job.assumed() == ["plan"]
    job.sets(DEPLOYKIT_AUTH="env")
    assert job.run("lock", "--auth", "oidc", "show").code == 0
    assert job.assumed() == ["plan", "plan"]


@pytest.mark.parametrize("argv", [("status", "--auth", "github"), ("--auth", "", "status")])
def test_a_way_that_does_not_exist_is_a_usage_error(job: Job, argv: tuple[str, ...]) -> None:
    done = job.world.command(*argv)
    assert done.code == 2
    assert "must be one of auto, oidc, env" in done.document["error"]["message"]


def test_the_variable_knows_the_same_words(job: Job) -> None:
    job.sets(DEPLOYKIT_AUTH="github")
    done = job.run("status")
    assert (done.code, done.calls) == (2, [])
    assert "DEPLOYKIT_AUTH 'github'" in done.document["error"]["message"]


@pytest.mark.parametrize("auth", [(), ("--auth", "oidc")])
def test_a_job_without_the_permission_is_told_which_one(job: Job, auth: tuple[str, ...]) -> None:
    job.sets(ACTIONS_ID_TOKEN_REQUEST_URL="", ACTIONS_ID_TOKEN_REQUEST_TOKEN="")
    done = job.run("deploy", *auth)
    assert (done.code, done.calls) == (3, [])
    error = done.document["error"]
    assert "ACTIONS_ID_TOKEN_REQUEST_URL" in error["message"]
    assert "permissions: id-token: write" in error["hint"]
    assert "forks" in error["hint"]


def test_a_runner_with_credentials_of_its_own_needs_no_permission(job: Job, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = x\n")
    job.sets(ACTIONS_ID_TOKEN_REQUEST_URL="", AWS_SHARED_CREDENTIALS_FILE=str(tmp_path / "credentials"))
    assert job.run("status").code == 0
    assert job.assumed() == []


def test_a_command_whose_role_is_not_named_takes_no_other(job: Job) -> None:
    job.roles(f'roles = {{ deploy = "{ARN}deploy" }}\n')
    done = job.run("status")
    assert (done.code, done.calls) == (3, [])
    assert "roles.plan" in done.document["error"]["message"]
    assert 'add plan = "arn:…" to roles of [environments.dev]' in done.document["error"]["hint"]
    job.sets(AWS_ACCESS_KEY_ID="ASIA", AWS_SECRET_ACCESS_KEY="test", AWS_SESSION_TOKEN="test")
    assert job.run("status").code == 0
    assert "roles.plan" in job.run("status", "--auth", "oidc").document["error"]["message"]
    assert job.assumed() == []


def test_without_roles_everything_is_as_boto3_finds_it(job: Job) -> None:
    job.roles("")
    done = job.run("status")
    assert (done.code, done.calls, job.github.asked) == (3, [], [])
    assert "aws sso login" in done.document["error"]["hint"]


def test_a_role_that_does_not_trust_the_job_is_out_of_reach_with_the_condition_to_paste(job: Job) -> None:
    job.world.sim.sts.trusts[f"{ARN}deploy"] = Trust(("repo:ann/shop:ref:refs/heads/main",))
    done = job.run("deploy")
    assert (done.code, done.calls) == (3, ["AssumeRoleWithWebIdentity"])
    error = done.document["error"]
    assert f"{ARN}deploy" in error["message"]
    assert CLASSIC in error["message"]
    assert '"repo:ann@12/shop@345:environment:prod"' in error["hint"]


def test_check_does_without_a_role_that_refuses_and_says_so(job: Job) -> None:
    job.world.released("first")
    job.world.sim.sts.trusts[f"{ARN}check"] = Trust(())
    done = job.run("check")
    assert done.code == 0, done.people
    assert f"versions are not compared with what ECS runs: AWS does not let this job assume {ARN}check" in done.people


def test_a_role_in_another_account_is_refused_as_wrong_keys_are(job: Job) -> None:
    job.world.sim.sts.account = "999999999999"
    done = job.run("deploy")
    assert (done.code, done.calls) == (4, ["AssumeRoleWithWebIdentity", "GetCallerIdentity"])
    assert "999999999999" in done.document["error"]["message"]


def test_what_has_no_configuration_has_no_role(job: Job) -> None:
    (job.world.folder / "deploykit.toml").unlink()
    done = job.world.command("init", "--from-cluster", "dev", "--auth", "oidc")
    assert (done.code, done.calls) == (3, [])
    assert "needs a role" in done.document["error"]["message"]


def test_the_command_that_continues_keeps_the_way(job: Job) -> None:
    job.world.commit("first")
    done = job.world.interrupted(60, "deploy", "--auth", "oidc")
    assert "`deploykit deploy --auth oidc`" in done.people
