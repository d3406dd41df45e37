"""A cluster is read with nothing but read permissions, and what may not be read is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.config.load import load
from deploykit.sandbox import lifecycle
from tests.flow.adopting_kit import CLUSTER, Account, OnlyReading, account, two_services
from tests.flow.raw_platform import container
from tests.flow.sandbox_kit import ACCOUNT, DISTRIBUTION, HOST, REGION, Sandbox, sandbox
from tests.unit.cli_kit import run

__all__ = ["account", "sandbox"]


def the_whole_platform(account: Account) -> str:
    """An API with a proxy beside it, a site, a worker with the API's image, a mailer, a CDN whose id is returned."""
    platform = account.platform
    site, api = platform.group("site", 3000, "/health"), platform.group("api", 3001, "/api/health")
    balancer = platform.balancer("harbour", default=site)
    platform.rule(balancer["Listener"], api, paths=["/api/*"])
    image = platform.image("harbour/api", "1a2b3c4")
    beside = container("proxy", "public.ecr.aws/envoy/envoy:1.30")
    platform.service("dev-harbour-api", [container("api", image, port=3001), beside], group=(api, "api", 3001), count=2)
    platform.service(
        "dev-harbour-web",
        [container("app", platform.image("harbour/web", "7"), port=3000)],
        group=(site, "app", 3000),
        count=2,
    )
    platform.service("dev-harbour-jobs", [container("jobs", image)])
    platform.service("dev-harbour-mailer", [container("mailer", platform.image("harbour/mailer", "3"))])
    account.sim.logs.groups += [f"/ecs/{name}" for name in ("api", "app", "jobs", "mailer", "proxy")]
    (account.folder / "services" / "mailer").mkdir(parents=True)
    (account.folder / "services" / "mailer" / "Dockerfile").write_text("FROM scratch\n")
    return platform.distribution(balancer["DNSName"], "harbour.example")


def test_init_plan_status_and_history_need_nothing_but_read_permissions(account: Account) -> None:
    distribution = the_whole_platform(account)
    account.sim.faults = OnlyReading(account.sim.account)
    adopted = account.adopt()
    assert (adopted.code, adopted.document["warnings"], adopted.document["left_out"]) == (0, [], [])
    account.git("init", "-q", "-b", "main")
    account.git("add", "-A")
    account.git("commit", "-q", "-m", "Adopt the cluster")
    status = account.run("status")
    assert status.code == 0
    assert {key: (s["running"], s["desired"]) for key, s in status.document["services"].items()} == {
        "api": (2, 2), "web": (2, 2), "jobs": (1, 1), "mailer": (1, 1),
    }  # fmt: skip
    assert "api     api:1a2b3c4  2/2 tasks  completed" in status.people
    plan = account.run("plan")
    assert (plan.code, plan.document["refusals"]) == (0, [])
    assert {key: s["action"] for key, s in plan.document["services"].items()} == dict.fromkeys(
        ("api", "web", "jobs", "mailer"), "build"
    )
    touched = {
        field["path"].split(".")[1] for service in plan.document["services"].values() for field in service["diff"]
    }
    assert touched == {"api", "app", "jobs", "mailer"}
    assert [one["distribution"] for one in plan.document["invalidations"]] == [distribution]
    assert account.run("history").code == 0
    assert not {call for done in (adopted, status, plan) for call in done.changing}


def test_with_read_permissions_alone_a_deploy_is_not_allowed(account: Account) -> None:
    the_whole_platform(account)
    account.adopt()
    account.sim.faults = OnlyReading(account.sim.account)
    done = account.run("invalidate")
    assert done.code == 3
    assert "cloudfront:CreateInvalidation" in done.people


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ecs", "DescribeTaskDefinition"),
        ("ecr", "DescribeRepositories"),
        ("elbv2", "DescribeTargetGroups"),
        ("elbv2", "DescribeLoadBalancers"),
        ("elbv2", "DescribeListeners"),
        ("elbv2", "DescribeRules"),
        ("cloudfront", "ListDistributions"),
    ],
)
def test_a_permission_that_is_missing_is_a_warning_in_the_file_too(
    account: Account, service: str, operation: str
) -> None:
    two_services(account.platform)
    account.sim.faults.deny(operation, service=service)
    done = account.adopt()
    assert done.code == 0
    [warning] = done.document["warnings"]
    prefix = {"elbv2": "elasticloadbalancing"}.get(service, service)
    assert warning.endswith(f"could not be read: {prefix}:{operation} is not allowed")
    assert f"warning: {warning}" in done.people
    assert f"# - {warning}" in account.text
    found = account.configuration
    assert {s.service for s in found.services.values()} == {"dev-harbour-api", "dev-harbour-web"}
    account.sim.faults.clear()
    assert account.run("status").code == 0


@pytest.mark.parametrize("operation", ["ListServices", "DescribeServices"])
def test_the_two_permissions_it_cannot_do_without_are_asked_for(account: Account, operation: str) -> None:
    two_services(account.platform)
    account.sim.faults.deny(operation)
    done = account.adopt()
    assert done.code == 3
    assert f"ecs:{operation}" in done.document["error"]["hint"]
    assert not (account.folder / "deploykit.toml").exists()


def test_an_unknown_cluster_is_answered_with_those_that_exist(account: Account) -> None:
    done = account.run("init", "--from-cluster", "dev-harbor-cluster")
    assert done.code == 5
    assert done.document["error"]["message"] == "ECS cluster dev-harbor-cluster does not exist in us-east-1"
    assert f"clusters in us-east-1: {CLUSTER}" in done.document["error"]["hint"]
    account.sim.faults.deny("ListClusters")
    denied = account.run("init", "--from-cluster", "nowhere")
    assert denied.code == 5
    assert "aws ecs list-clusters --region us-east-1" in denied.document["error"]["hint"]


def test_a_cluster_without_services_is_said_to_have_none(account: Account) -> None:
    done = account.adopt()
    assert (done.code, done.document["file"]) == (5, None)
    assert "has no services" in done.document["error"]["message"]


def test_an_existing_file_is_left_as_it_is_before_aws_is_asked(account: Account) -> None:
    (account.folder / "deploykit.toml").write_text("mine")
    done = account.adopt()
    assert (done.code, done.calls) == (2, [])
    assert account.text == "mine"


def test_name_and_region_are_taken_from_the_command_line(account: Account) -> None:
    two_services(account.platform)
    arn = f"arn:aws:ecs:us-east-1:108581769167:cluster/{CLUSTER}"
    done = account.run("init", "--from-cluster", arn, "--env", "green", "--config", "other.toml")
    assert done.code == 0
    found = load(account.folder / "other.toml", None, {})
    assert (found.environment, found.services["api"].service) == ("green", "dev-harbour-api")
    elsewhere = account.adopt("--region", "eu-central-1")
    assert elsewhere.document["commands"][0].endswith(
        "--region eu-central-1 --create-bucket-configuration LocationConstraint=eu-central-1"
    )
    assert account.run("init", "--region", "eu-central-1").code == 2


@pytest.mark.sandbox
def test_the_sandbox_is_read_as_any_account_is(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("test-api", "test-site", "test-worker"):
        sandbox.well(name)
    for folder in ("api", "site", "worker"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Dockerfile").write_text("FROM scratch\n")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    environ = {name: value for name, value in lifecycle.variables(sandbox.running).items() if name != "DEPLOYKIT_ENV"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    ran = run("init", "--json", "--from-cluster", "shop-test", environ=environ)
    assert (ran.code, ran.document["warnings"]) == (0, [])
    found = load(tmp_path / "deploykit.toml", None, {})
    assert {key: (s.context, s.repository, s.service) for key, s in found.services.items()} == {
        key: (key, f"shop/{key}", f"test-{key}") for key in ("api", "site", "worker")
    }
    assert (found.account, found.region, found.environment) == (ACCOUNT, REGION, "test")
    assert (found.url, [cdn.distribution for cdn in found.cdn.values()]) == (f"https://{HOST}", [DISTRIBUTION])
    assert {e.service: e.path for e in found.checks.endpoints} == {"api": "/api/health", "site": "/health"}
    status = run("status", "--json", environ=environ)
    assert {key: s["running"] for key, s in status.document["services"].items()} == {"api": 2, "site": 1, "worker": 1}
