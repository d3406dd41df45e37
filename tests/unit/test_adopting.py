"""What a cluster does not say is guessed by rules of their own, each tried alone."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from deploykit.edges.aws.cloudfront import Distribution, matches
from deploykit.edges.aws.ecr_names import parse_reference
from deploykit.edges.aws.elb import HealthCheck, LoadBalancer, Rule
from deploykit.init.addresses import Address, address_of, routes
from deploykit.init.containers import local_secrets, release_variable, running
from deploykit.init.endpoints import endpoint_blocks, local_blocks
from deploykit.init.folders import ImageClues, places
from deploykit.init.naming import environment_in, service_keys, with_placeholder
from deploykit.init.seen import SeenCluster, SeenService
from deploykit.init.services import adopt, service_blocks
from deploykit.init.starter import FoundService
from deploykit.init.text import Block, Line, guesses, quoted, remark, render
from deploykit.model.observed import TargetGroup
from tests.unit.makers import service

ACCOUNT, REGION = "108581769167", "us-east-1"
ECR = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
DNS = "front-1.us-east-1.elb.amazonaws.com"


def rule(group: str, *, paths: tuple[str, ...] = (), hosts: tuple[str, ...] = (), **more: Any) -> Rule:
    values = {"protocol": "HTTP", "port": 80, "priority": 1 if paths or hosts else None, **more}
    return Rule("lb", hosts=hosts, paths=paths, conditions=(), target_groups=(group,), redirects=False, **values)


def cluster(*services: SeenService, rules: tuple[Rule, ...] = (), **more: Any) -> SeenCluster:
    groups = [group.arn for one in services for group in one.state.target_groups]
    checks = {arn: HealthCheck(arn, "/health", "200", ("lb",)) for arn in groups}
    balancers = {"lb": LoadBalancer("lb", DNS, internal=False)}
    made = SeenCluster("prod", REGION, ACCOUNT, services, checks, balancers, rules)
    return replace(made, **more)


def seen(name: str, *containers: dict[str, Any], group: str = "") -> SeenService:
    behind = (TargetGroup(group, containers[0]["name"], 8080),) if group else ()
    return SeenService(service(name=name, target_groups=behind), {"containerDefinitions": list(containers)})


def reached(one: SeenService, everything: SeenCluster) -> Address:
    found = address_of(one, everything)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("names", "cluster_name", "project", "keys"),
    [
        (
            ["dev-davidshaevel-backend", "dev-davidshaevel-frontend"],
            "dev-davidshaevel-cluster",
            "x",
            "backend frontend",
        ),
        (["shop-prod"], "prod", "shop", "shop"),
        (["api-service", "web-service"], "main", "site", "api web"),
        (["acme-api-prod", "acme-web-prod"], "main", "site", "api web"),
        (["api"], "api", "api", "api"),
        (["dev-api", "api-dev"], "c", "p", "dev-api api-dev"),
        (["web_Admin"], "c", "p", "web-admin"),
        (["Shop-ApiService9571FDD8-k2J4hGf8sQ1z"], "Shop-Cluster", "shop", "orders"),
    ],
)
def test_a_service_is_called_by_what_sets_it_apart(
    names: list[str], cluster_name: str, project: str, keys: str
) -> None:
    assert list(service_keys(dict.fromkeys(names, "orders"), cluster_name, project).values()) == keys.split()


@pytest.mark.parametrize(
    ("cluster_name", "services", "environment"),
    [
        ("shop-staging", ["a"], "staging"),
        ("shop", ["a-qa", "b_qa"], "qa"),
        ("shop", ["a-qa", "b-dev"], None),
        ("producers", ["developer"], None),
    ],
)
def test_the_environment_is_a_word_of_the_names(
    cluster_name: str, services: list[str], environment: str | None
) -> None:
    assert environment_in(cluster_name, services) == environment


@pytest.mark.parametrize(
    ("name", "written"), [("dev-api", "{env}-api"), ("api_dev", "api_{env}"), ("developer", "developer")]
)
def test_the_environments_name_becomes_a_placeholder_where_it_is_a_word(name: str, written: str) -> None:
    assert with_placeholder(name, "dev") == written


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        (f"{ECR}/shop/api:1.2", (ACCOUNT, REGION, "shop/api", "1.2", None)),
        (f"{ECR}/api@sha256:ab", (ACCOUNT, REGION, "api", None, "sha256:ab")),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/api", (ACCOUNT, "cn-north-1", "api", None, None)),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/api:2", (ACCOUNT, "eu-west-1", "api", "2", None)),
        (f"{ACCOUNT}.dkr.ecr.eusc-de-east-1.amazonaws.eu/api:2", (ACCOUNT, "eusc-de-east-1", "api", "2", None)),
        ("127.0.0.1:4566/shop/api:1", (None, None, "shop/api", "1", None)),
    ],
)
def test_an_image_of_ecr_is_taken_apart(image: str, parts: tuple[str | None, ...]) -> None:
    found = parse_reference(image, "127.0.0.1:4566")
    assert found is not None
    assert (found.account, found.region, found.repository, found.tag, found.digest) == parts


def test_a_registry_of_ones_own_that_is_ecrs_keeps_its_account_and_region() -> None:
    registry = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
    found = parse_reference(f"{registry}/api:1", registry)
    assert found is not None
    assert (found.account, found.region, found.repository) == (ACCOUNT, "eu-west-1", "api")


@pytest.mark.parametrize("image", ["nginx", "public.ecr.aws/nginx/nginx:1", "ghcr.io/a/b@sha256:ab", "localhost/x"])
def test_an_image_of_another_registry_is_none_of_ecrs(image: str) -> None:
    assert parse_reference(image) is None


def test_images_of_other_accounts_and_copies_of_public_ones_are_sidecars() -> None:
    one = seen(
        "api",
        {"name": "envoy", "image": "840364872350.dkr.ecr.us-east-1.amazonaws.com/aws-appmesh-envoy:v1"},
        {"name": "cache", "image": f"{ECR}/docker-hub/library/redis:7"},
        {"name": "app", "image": f"{ECR}/shop/api@sha256:{'a' * 64}"},
        group="g",
    )
    found = running(one, cluster(one))
    assert (found.container, found.ours, found.doubt) == ("app", True, "")
    assert [text.split()[0] for text in found.sidecars] == ["envoy", "cache"]
    assert "sha256" not in " ".join(found.sidecars)


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({"GIT_SHA": "x"}, "GIT_SHA"),
        ({"APP_COMMIT_HASH": ""}, "APP_COMMIT_HASH"),
        ({"VERSION": "0123abc"}, "VERSION"),
        ({"RELEASE": "v7"}, "RELEASE"),
        ({"VERSION": "2.1"}, None),
        ({"SHARED_KEY": "x", "PORT": "80", "AWS_COMMIT": "1"}, None),
        ({"COMMIT": "unknown", "SENTRY_RELEASE": "0123abc"}, "SENTRY_RELEASE"),
    ],
)
def test_a_variable_holds_the_commit_where_its_name_or_value_says_so(
    variables: dict[str, str], chosen: str | None
) -> None:
    environment = [{"name": name, "value": value} for name, value in variables.items()]
    one = seen("api", {"name": "api", "image": f"{ECR}/api:v7", "environment": environment})
    found = release_variable(running(one, cluster(one)))
    assert (found[0] if found else None) == chosen


def test_local_secrets_are_names_without_what_aws_adds() -> None:
    base = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:shop/db-AbCdEf"
    secrets = [
        {"name": "PASSWORD", "valueFrom": f"{base}:password::"},
        {"name": "WHOLE", "valueFrom": base},
        {"name": "PARAMETER", "valueFrom": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/key"},
    ]
    one = seen("api", {"name": "api", "image": "x", "secrets": secrets})
    assert local_secrets(running(one, cluster(one))) == {"PASSWORD": "shop/db:password", "WHOLE": "shop/db"}


def test_folders_are_found_by_name_then_by_meaning_then_by_port() -> None:
    wanted = {
        "orders": ImageClues(("orders", "app", "orders"), 8001),
        "backend": ImageClues(("backend", "app", "shop-backend"), 8000),
        "mailer": ImageClues(("mailer", "mailer", "mails"), None),
        "gate": ImageClues(("gate",), 9000),
    }
    folders = [
        FoundService("api", "services/api", 8000),
        FoundService("orders", "services/orders", 1),
        FoundService("edge", "edge", 9000),
    ]
    assert {key: place.context for key, place in places(wanted, folders).items()} == {
        "orders": "services/orders",
        "backend": "services/api",
        "gate": "edge",
    }


def test_the_only_folder_is_everybodys_and_none_is_nobodys() -> None:
    wanted = {"a": ImageClues(("a",), None), "b": ImageClues(("b",), None)}
    assert {p.context for p in places(wanted, [FoundService("shop", ".", None)]).values()} == {"."}
    assert places(wanted, []) == {}


@pytest.mark.parametrize(
    ("pattern", "path", "taken"),
    [("/api/*", "/api/x/y", True), ("/api/*", "/api", False), ("/a?c", "/abc", True), ("/a.c", "/abc", False)],
)
def test_path_patterns_know_two_wildcards(pattern: str, path: str, taken: bool) -> None:
    assert matches(pattern, path) is taken


def test_a_service_is_reached_by_the_listener_that_needs_no_port() -> None:
    one = seen("api", {"name": "api", "image": "x"}, group="g")
    ports = (rule("g", port=8443, protocol="HTTPS"), rule("g", port=443, protocol="HTTPS"), rule("other"))
    address = reached(one, cluster(one, rules=ports))
    assert address.url == f"https://{DNS}"
    assert address.why.startswith("guessed: ")  # no certificate is for that name
    assert reached(one, cluster(one, rules=ports[:1])).url == f"https://{DNS}:8443"


def test_an_internal_load_balancer_gives_no_address_that_can_be_asked() -> None:
    one = seen("api", {"name": "api", "image": f"{ECR}/api:1"}, group="g")
    inside = {"lb": LoadBalancer("lb", DNS, internal=True)}
    everything = cluster(one, rules=(rule("g"),), balancers=inside)
    address = reached(one, everything)
    assert not address.public
    adopted, _ = adopt(everything, "shop", [])
    [block] = endpoint_blocks(adopted, everything, address)
    assert block.off
    assert "inside the VPC" in block.above[0]


def test_paths_that_a_distribution_sends_elsewhere_do_not_reach_the_service() -> None:
    one = seen("api", {"name": "api", "image": "x"}, group="g")
    behaviours = (("/health*", "b.s3.amazonaws.com"), ("*", DNS))
    before = Distribution("E1", "d1.cloudfront.net", ("shop.example",), True, (DNS,), behaviours)
    address = reached(one, cluster(one, rules=(rule("g"),), distributions=(before,)))
    assert (address.url, address.public) == ("https://shop.example", True)
    assert (address.receivers("/health"), address.receivers("/other")) == (None, ("g",))
    switched_off = replace(before, enabled=False)
    assert reached(one, cluster(one, rules=(rule("g"),), distributions=(switched_off,))).url == f"http://{DNS}"


def test_routes_are_the_paths_of_its_rules_and_none_for_the_rest() -> None:
    one = seen("api", {"name": "api", "image": "x"}, group="g")
    some = (rule("g", paths=("/api/*", "/v1/*")), rule("h", paths=("/x",)))
    assert routes(one, cluster(one, rules=some)) == ("/api/*", "/v1/*")
    assert routes(one, cluster(one, rules=(*some, rule("g")))) == ()


def test_where_nothing_says_it_the_site_takes_the_rest_of_the_paths() -> None:
    services = [seen(name, {"name": name, "image": f"{ECR}/{name}:1"}, group=name) for name in ("api", "web")]
    everything = cluster(*services, balancers={})
    adopted, _ = adopt(everything, "shop", [])
    local = tomllib.loads(render(local_blocks(adopted, everything)))["local"]["services"]
    assert {key: one.get("routes") for key, one in local.items()} == {"api": ["/api/*"], "web": None}


def test_nothing_is_said_of_a_definition_that_could_not_be_read() -> None:
    one = SeenService(service(name="api"), None)
    everything = cluster(one, repositories=None)
    adopted, _ = adopt(everything, "shop", [])
    text = render(service_blocks(adopted, everything, "prod", []))
    assert tomllib.loads(text)["services"]["api"]["repository"] == "shop/api"
    assert "could not be read, and repositories could not be listed" in text
    assert "no variable" not in text


def test_an_image_from_nowhere_is_taken_for_ours_where_ecr_has_a_repository_of_its_name() -> None:
    one, other = seen("api", {"name": "app", "image": "nginx"}), seen("db", {"name": "db", "image": "postgres"})
    adopted, left_out = adopt(cluster(one, other, repositories=("shop/api", "shop/web")), "shop", [])
    assert [(a.key, a.repository, a.doubt.split(";")[0]) for a in adopted] == [
        ("api", "shop/api", "guessed: nginx runs now")
    ]
    assert [one.service for one in left_out] == ["db"]


def test_long_comments_stand_above_their_line_and_all_of_it_is_toml() -> None:
    lines = (
        Line("a", quoted('x "y" \\ ü')),
        Line("b", "1", "guessed: " + "word " * 30),
        Line("c", "2", "short"),
        Line("d", "3", "away", off=True),
        remark("only a comment"),
    )
    text = render([Block("[t]", lines, "guessed: so"), Block("[u]", (Line("e", "4"),), off=True, above=("why",))])
    assert tomllib.loads(text) == {"t": {"a": 'x "y" \\ ü', "b": 1, "c": 2}}
    assert max(map(len, text.splitlines())) <= 120
    assert "# d = 3" in text
    assert text.endswith("# why\n# [u]\n# e = 4\n")
    assert guesses([Block("[t]", lines, "guessed: so")]) == 2
