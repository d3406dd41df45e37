"""A configuration out of a cluster that deploykit did not make, by nothing but reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploykit.config.load import load
from deploykit.config.schema import Configuration
from deploykit.sandbox import lifecycle
from tests.flow.raw_platform import RawPlatform, container
from tests.flow.sandbox_kit import ACCOUNT, DISTRIBUTION, HOST, REGION, Sandbox, sandbox
from tests.flow.world import Done, World
from tests.simulator import Simulator
from tests.unit.cli_kit import run

__all__ = ["sandbox"]
CLUSTER = "dev-harbour-cluster"


@dataclass
class Account(World):
    """An account with one cluster, and a repository of the same project that has no configuration yet."""

    platform: RawPlatform = field(kw_only=True)

    def adopt(self, *more: str) -> Done:
        return self.run("init", "--from-cluster", CLUSTER, *more)

    @property
    def text(self) -> str:
        return (self.folder / "deploykit.toml").read_text(encoding="utf-8")

    @property
    def configuration(self) -> Configuration:
        return load(self.folder / "deploykit.toml", None, {})

    def about(self, value: str) -> str:
        """The one line of the file that begins so, with the comment of a long one, which stands above it."""
        lines = self.text.splitlines()
        [number] = [number for number, line in enumerate(lines) if line.startswith(value)]
        return lines[number] if "  # " in lines[number] else f"{lines[number]}  {lines[number - 1]}"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    folder = tmp_path / "harbour"
    for name in ("api", "web"):
        (folder / name).mkdir(parents=True)
        (folder / name / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "DEPLOYKIT_ENV", "DEPLOYKIT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    with Simulator() as sim:
        environ = {
            "AWS_ENDPOINT_URL": sim.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield Account(sim, folder, environ, platform=RawPlatform(sim, CLUSTER))


def two_services(platform: RawPlatform, *, cdn: bool = True, health: str = "/api/health") -> str:
    """An API at /api/* and a site that takes the rest, behind one load balancer; the distribution's id, or ""."""
    site, api = platform.group("site", 3000, "/health"), platform.group("api", 3001, health)
    balancer = platform.balancer("harbour", default=site)
    platform.rule(balancer["Listener"], api, paths=["/api/*"])
    image = platform.image("harbour/api", "1a2b3c4")
    platform.service(
        "dev-harbour-api",
        [container("api", image, port=3001, environment={"GIT_SHA": "1a2b3c4"})],
        group=(api, "api", 3001),
        count=2,
    )
    image = platform.image("harbour/web", "1a2b3c4")
    platform.service("dev-harbour-web", [container("app", image, port=3000)], group=(site, "app", 3000), count=2)
    return platform.distribution(balancer["DNSName"], "harbour.example") if cdn else ""


def test_two_services_behind_a_distribution_are_filled_in(account: Account) -> None:
    distribution = two_services(account.platform)
    done = account.adopt()
    assert done.code == 0
    assert done.document["services"] == ["api", "web"]
    found = account.configuration
    assert (found.project.name, found.region, found.environment) == ("harbour", "us-east-1", "dev")
    assert (found.account, found.cluster, found.url) == ("108581769167", CLUSTER, "https://harbour.example")
    api, web = found.services["api"], found.services["web"]
    assert (api.context, api.repository, api.service) == ("api", "harbour/api", "dev-harbour-api")
    assert (api.container, api.release_env) == ("api", "GIT_SHA")
    assert (web.context, web.repository, web.service) == ("web", "harbour/web", "dev-harbour-web")
    assert (web.container, web.release_env) == ("app", None)
    assert [(cdn.distribution, cdn.paths, cdn.after) for cdn in found.cdn.values()] == [
        (distribution, ("/*",), ("api", "web"))
    ]
    assert [(e.id, e.path, e.service) for e in found.checks.endpoints] == [
        ("api-health", "/api/health", "api"),
        ("web-health", "/health", "web"),
    ]
    assert not any(service.depends_on for service in found.services.values())
    local = {key: (s.port, s.routes, s.health_check, s.count) for key, s in found.local.services.items()}
    assert local == {"api": (3001, ("/api/*",), "/api/health", 2), "web": (3000, (), "/health", 2)}


def test_what_had_to_be_guessed_is_marked_and_the_rest_is_not(account: Account) -> None:
    two_services(account.platform)
    done = account.adopt()
    guessed = [line.split("  #")[0].strip() for line in account.text.splitlines() if "# guessed: " in line]
    assert guessed == [
        "[environments.dev]",
        'context = "api"',
        'release_env = "GIT_SHA"',
        'context = "web"',
        'paths = ["/*"]',
        'after = ["api", "web"]',
    ]
    assert done.document["guesses"] == len(guessed)
    assert f"{len(guessed)} comments with `guessed:`" in done.people
    assert account.about('# release_env = "GIT_SHA"').endswith("no variable it has looks like one")
    assert "# its logs: /ecs/api" in account.text
    assert max(map(len, account.text.splitlines())) <= 120


def test_status_and_plan_work_with_it_and_nothing_but_reading_is_done(account: Account) -> None:
    two_services(account.platform)
    adopted = account.adopt()
    assert adopted.changing == []
    account.git("init", "-q", "-b", "main")
    account.git("add", "-A")
    account.git("commit", "-q", "-m", "Adopt the cluster")
    status = account.run("status")
    assert (status.code, status.changing) == (0, [])
    assert {key: (s["running"], s["desired"]) for key, s in status.document["services"].items()} == {
        "api": (2, 2),
        "web": (2, 2),
    }
    plan = account.run("plan")
    assert (plan.code, plan.changing) == (0, [])
    assert {key: s["action"] for key, s in plan.document["services"].items()} == {"api": "build", "web": "build"}


def test_without_a_distribution_the_url_is_the_load_balancers_own(account: Account) -> None:
    two_services(account.platform, cdn=False)
    account.adopt()
    found = account.configuration
    assert found.url == "http://harbour-2.us-east-1.elb.amazonaws.com"
    assert found.cdn == {}


def test_a_distribution_without_an_alias_is_reached_at_its_domain(account: Account) -> None:
    two_services(account.platform, cdn=False)
    distribution = account.platform.distribution("harbour-2.us-east-1.elb.amazonaws.com")
    account.platform.distribution("other.example", "other.example")
    account.adopt()
    assert account.configuration.url == f"https://{distribution.lower()}.cloudfront.net"
    assert [cdn.distribution for cdn in account.configuration.cdn.values()] == [distribution]


def test_distributions_that_reach_the_load_balancer_by_another_name_are_offered(account: Account) -> None:
    two_services(account.platform, cdn=False)
    other = account.platform.distribution("origin.harbour.example", "harbour.example")
    account.adopt()
    assert account.configuration.cdn == {}
    assert f'# distribution = "{other}"' in account.text
    assert f"{other} (harbour.example, origin origin.harbour.example)" in account.text.replace("\n# ", " ")


def test_a_worker_without_a_load_balancer_has_no_endpoint_and_empties_no_cache(account: Account) -> None:
    two_services(account.platform)
    image = account.platform.image("harbour/mailer", "1")
    account.platform.service("dev-harbour-mailer", [container("mailer", image)], count=0)
    account.adopt()
    found = account.configuration
    assert list(found.services) == ["api", "web", "mailer"]
    assert "mailer" not in {endpoint.service for endpoint in found.checks.endpoints}
    assert found.cdn["site"].after == ("api", "web")
    assert "mailer" not in found.local.services
    assert "no folder with a Dockerfile looks like it" in account.about('context = "mailer"')
    assert "# its desired count is 0 now: a release of it starts no task" in account.text


def test_of_two_containers_the_one_with_our_image_is_released_and_the_other_left_alone(account: Account) -> None:
    platform = account.platform
    group = platform.group("api", 8080, "/health")
    platform.balancer("harbour", default=group)
    proxy = container("proxy", "public.ecr.aws/nginx/nginx:1.27", port=8080)
    platform.service(
        "dev-harbour-api", [proxy, container("app", platform.image("harbour/api", "7"))], group=(group, "proxy", 8080)
    )
    account.adopt()
    service = account.configuration.services["api"]
    assert (service.container, service.repository) == ("app", "harbour/api")
    assert "# beside it, left alone: proxy (public.ecr.aws/nginx/nginx:1.27)" in account.text
    assert "guessed" not in account.about('container = "app"')


def test_of_two_containers_with_our_images_the_choice_is_a_guess(account: Account) -> None:
    platform = account.platform
    group = platform.group("api", 8080)
    platform.balancer("harbour", default=group)
    proxy, app = (container(name, platform.image(f"harbour/{name}", "1"), port=8080) for name in ("proxy", "app"))
    platform.service("dev-harbour-api", [proxy, app], group=(group, "app", 8080))
    account.adopt()
    assert account.configuration.services["api"].repository == "harbour/app"
    line = account.about('container = "app"')
    assert line.endswith("# guessed: proxy runs an image of this account's ECR too")


def test_services_that_run_one_image_build_it_once(account: Account) -> None:
    two_services(account.platform)
    host = "108581769167.dkr.ecr.us-east-1.amazonaws.com"
    account.platform.service("dev-harbour-jobs", [container("api", f"{host}/harbour/api:1a2b3c4")])
    account.platform.image("harbour/api", "older")
    account.platform.service("dev-harbour-mailer", [container("api", f"{host}/harbour/api:older")])
    account.adopt()
    found = account.configuration.services
    assert (found["jobs"].image, found["jobs"].context, found["jobs"].repository) == ("api", None, "harbour/api")
    assert found["jobs"].container == "api"
    alike, older = [line for line in account.text.splitlines() if line.startswith('image = "api"')]
    assert "guessed" not in alike
    assert older == 'image = "api"'
    assert "# guessed: both run images of harbour/api, now of different tags" in account.text


def test_a_health_path_that_users_reach_another_service_by_is_no_endpoint(account: Account) -> None:
    two_services(account.platform, health="/health")
    account.adopt()
    assert [(e.path, e.service) for e in account.configuration.checks.endpoints] == [("/health", "web")]
    said = account.text.replace("\n# ", " ")
    assert "its load balancer asks each task for /health, but at https://harbour.example /health gets to web" in said
    assert '# path = "/api/health"' in account.text


def test_services_with_hosts_of_their_own_are_asked_there(account: Account) -> None:
    platform = account.platform
    site, api = platform.group("site", 80, "/"), platform.group("api", 80, "/up")
    balancer = platform.balancer("harbour")
    for group, host in ((site, "www.harbour.example"), (api, "api.harbour.example")):
        platform.rule(balancer["Listener"], group, hosts=[host])
    platform.service("web", [container("web", platform.image("harbour/web", "1"), port=80)], group=(site, "web", 80))
    platform.service("api", [container("api", platform.image("harbour/api", "1"), port=80)], group=(api, "api", 80))
    account.adopt()
    found = account.configuration
    endpoints = {e.service: e.address(str(found.url)) for e in found.checks.endpoints}
    assert endpoints == {"api": "http://api.harbour.example/up", "web": "http://www.harbour.example/"}


def test_services_that_ecs_does_not_roll_out_are_left_out_and_named(account: Account) -> None:
    two_services(account.platform)
    for controller in ("CODE_DEPLOY", "EXTERNAL"):
        name = f"dev-harbour-{controller.lower()}"
        image = account.platform.image(f"harbour/{controller.lower()}", "1")
        account.platform.service(name, [container("blue", image)], controller=controller)
    account.platform.service("dev-harbour-admin", [container("pgadmin", "dpage/pgadmin4:8")])
    done = account.adopt()
    assert sorted(account.configuration.services) == ["api", "web"]
    assert [one["service"] for one in done.document["left_out"]] == [
        "dev-harbour-code_deploy",
        "dev-harbour-external",
        "dev-harbour-admin",
    ]
    assert "# left out: dev-harbour-external, because it is under the EXTERNAL controller" in account.text
    assert "left out dev-harbour-admin: its container pgadmin runs dpage/pgadmin4:8" in done.people


def test_a_cluster_with_nothing_to_release_leaves_no_file(account: Account) -> None:
    account.platform.service(
        "blue", [container("x", account.platform.image("harbour/x", "1"))], controller="CODE_DEPLOY"
    )
    done = account.adopt()
    assert done.code == 5
    assert "blue: it is under the CODE_DEPLOY controller" in done.document["error"]["message"]
    assert not (account.folder / "deploykit.toml").exists()


def test_more_services_than_one_call_or_page_holds_are_all_there(account: Account) -> None:
    platform = account.platform
    platform.service("first", [container("app", platform.image("harbour/api", "1"))], count=0)
    for number in range(110):
        platform.ecs.create_service(
            cluster=CLUSTER, serviceName=f"queue-{number:03}", taskDefinition="first", desiredCount=0
        )
    done = account.adopt()
    assert len(account.configuration.services) == 111
    assert (done.count("ListServices"), done.count("DescribeServices")) == (2, 12)
    assert done.count("DescribeTaskDefinition") == 1


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


def test_nothing_is_claimed_about_what_could_not_be_read(account: Account) -> None:
    two_services(account.platform)
    for service, operation in (("cloudfront", "ListDistributions"), ("elbv2", "DescribeRules")):
        account.sim.faults.deny(operation, service=service)
    account.adopt()
    assert "# guessed: " in account.about("url = ")
    assert len([line for line in account.text.splitlines() if "the rules by which users get there" in line]) == 2


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
