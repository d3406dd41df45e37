"""An environment's tables are laid over the file's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deploykit.config.overlay import merge
from tests.unit.config_files import TEN_LINES, read, refused, said

TWO = """
    [project]
    name = "shop"
    region = "eu-central-1"
    default_environment = "dev"
    [environments.dev]
    account = "123456789012"
    cluster = "{env}-{project}"
    url = "https://{env}.example.com"
    state = "s3://{project}-state/{env}"
    roles = { deploy = "arn:aws:iam::123456789012:role/{project}-{env}" }
    [environments.dev.services.web]
    build_args = { MODE = "debug" }
    depends_on = []
    migrate.timeout = "1m"
    [environments.dev.cdn.site]
    distribution = "EDEV"
    [[environments.dev.checks.endpoints]]
    id = "home"
    expect = { max_latency = "9s" }
    [[environments.dev.checks.endpoints]]
    id = "debug"
    path = "/{env}"
    [environments.prod]
    account = "210987654321"
    cluster = "prod"
    region = "us-east-1"
    url = "https://example.com"
    history = "any"
    [environments.prod.rollout]
    deadline = "1h"
    [services.web]
    context = "web"
    repository = "{project}/web"
    service = "{env}-web"
    build_args = { BASE = "alpine", MODE = "fast" }
    depends_on = ["api"]
    migrate = { command = ["m"], paths = ["db"] }
    [services.api]
    context = "api"
    repository = "shop/api"
    [services.mail]
    context = "mail"
    repository = "shop/mail"
    only = ["dev"]
    [services.job]
    image = "web"
    service = "job"
    depends_on = ["mail"]
    [cdn.site]
    distribution = "EPROD"
    after = ["web", "mail"]
    [[checks.endpoints]]
    id = "home"
    path = "/"
    expect = { status = [200, 204], contains = "Shop" }
    [[checks.endpoints]]
    id = "mail"
    path = "/mail"
    service = "mail"
    only = ["dev"]
    [local.services.mail]
    [local.services.web]
    port = 80
"""


def test_tables_merge_at_every_depth_and_lists_replace_lists(tmp_path: Path) -> None:
    web = read(tmp_path, TWO).services["web"]
    assert web.build_args == {"BASE": "alpine", "MODE": "debug"}
    assert web.depends_on == ()
    assert web.migrate is not None
    assert (web.migrate.command, web.migrate.timeout) == (("m",), 60.0)
    other = read(tmp_path, TWO, "prod").services["web"]
    assert (other.build_args["MODE"], other.depends_on) == ("fast", ("api",))
    assert other.migrate is not None
    assert other.migrate.timeout == 600.0


def test_endpoints_merge_by_id_and_new_ones_follow(tmp_path: Path) -> None:
    home, mail, debug = read(tmp_path, TWO).checks.endpoints
    assert (home.id, mail.id, debug.id) == ("home", "mail", "debug")
    assert (home.path, home.expect.status, home.expect.contains) == ("/", (200, 204), "Shop")
    assert home.expect.max_latency == 9.0
    assert debug.path == "/{env}"  # nothing is filled in under checks
    assert [endpoint.id for endpoint in read(tmp_path, TWO, "prod").checks.endpoints] == ["home"]


def test_placeholders_are_filled_in_names_addresses_and_arns(tmp_path: Path) -> None:
    dev = read(tmp_path, TWO)
    assert (dev.cluster, dev.url, dev.state) == ("dev-shop", "https://dev.example.com", "s3://shop-state/dev")
    assert dev.roles == {"deploy": "arn:aws:iam::123456789012:role/shop-dev"}
    assert (dev.services["web"].repository, dev.services["web"].service) == ("shop/web", "dev-web")


def test_only_keeps_a_service_and_all_that_hangs_on_it_to_its_environments(tmp_path: Path) -> None:
    dev, prod = read(tmp_path, TWO), read(tmp_path, TWO, "prod")
    assert set(dev.services) == {"web", "api", "mail", "job"}
    assert set(prod.services) == {"web", "api", "job"}
    assert prod.services["job"].depends_on == ()
    assert (dev.cdn["site"].after, prod.cdn["site"].after) == (("web", "mail"), ("web",))
    assert (set(dev.local.services), set(prod.local.services)) == ({"mail", "web"}, {"web"})


def test_each_environment_has_its_own_keys_and_knows_the_others_distributions(tmp_path: Path) -> None:
    dev, prod = read(tmp_path, TWO), read(tmp_path, TWO, "prod")
    assert (dev.environment, dev.region, dev.account, dev.history) == ("dev", "eu-central-1", "123456789012", "forward")
    assert (prod.environment, prod.region, prod.account, prod.history) == ("prod", "us-east-1", "210987654321", "any")
    assert (dev.rollout.deadline, prod.rollout.deadline) == (900.0, 3600.0)
    assert (dev.cdn["site"].distribution, dev.other_distributions) == ("EDEV", {"EPROD": "prod"})
    assert prod.other_distributions == {"EDEV": "dev"}


def test_a_service_that_runs_anothers_image_carries_its_repository_and_a_container_its_services_name(
    tmp_path: Path,
) -> None:
    dev = read(tmp_path, TWO)
    assert (dev.services["job"].repository, dev.services["job"].container) == ("shop/web", "job")


def test_an_endpoint_of_a_service_that_its_environment_lacks_is_refused(tmp_path: Path) -> None:
    text = TWO.replace('service = "mail"\n    only = ["dev"]', 'service = "mail"')
    assert said(refused(tmp_path, text)) == [
        '60: checks.endpoints[mail].service = "mail": '
        'names the service "mail", which the environment prod does not have'
    ]


def test_a_service_may_be_completed_by_each_environment(tmp_path: Path) -> None:
    text = (
        TEN_LINES.replace('repository = "shop/web"\n', "") + '[environments.prod.services.web]\nrepository = "p/web"\n'
    )
    assert read(tmp_path, text).services["web"].repository == "p/web"


def test_the_mistake_of_an_overlaid_endpoint_stands_in_the_overlay(tmp_path: Path) -> None:
    text = TWO.replace('max_latency = "9s"', "max_latency = 9").replace('path = "/mail"', 'path = "mail"')
    assert said(refused(tmp_path, text)) == [
        "20: environments.dev.checks.endpoints[home].expect.max_latency = 9: "
        'must be a duration such as "30s", "10m" or "1h": write "9s"',
        '59: checks.endpoints[mail].path = "mail": must begin with "/"',
    ]


LEAVES = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4))
TABLES = st.dictionaries(st.sampled_from("abcd"), TREES, max_size=4)
ENDPOINTS = st.lists(
    st.fixed_dictionaries({"id": st.sampled_from("xyz")}, optional={"path": st.text(max_size=2), "expect": TABLES}),
    max_size=3,
    unique_by=lambda endpoint: str(endpoint["id"]),
)
FILES = st.builds(lambda tables, endpoints: {**tables, "checks": {"endpoints": endpoints}}, TABLES, ENDPOINTS)


@given(FILES)
def test_laying_nothing_over_a_file_changes_nothing_and_over_nothing_gives_itself(tables: dict[str, Any]) -> None:
    assert merge(tables, {}) == tables
    assert merge({}, tables) == tables
    assert merge(tables, tables) == tables


@given(FILES, FILES)
def test_what_the_overlay_says_holds_and_the_rest_stays(base: dict[str, Any], over: dict[str, Any]) -> None:
    merged = merge(base, over)
    assert merge(merged, over) == merged
    assert set(merged) == set(base) | set(over)
    assert [item["id"] for item in merged["checks"]["endpoints"]][: len(base["checks"]["endpoints"])] == [
        item["id"] for item in base["checks"]["endpoints"]
    ]

    def holds(wanted: Any, found: Any) -> bool:
        if isinstance(wanted, dict) and isinstance(found, dict):
            return all(key in found and holds(value, found[key]) for key, value in wanted.items())
        return bool(wanted == found)

    over_endpoints = over.pop("checks")["endpoints"]
    merged_endpoints = {item["id"]: item for item in merged.pop("checks")["endpoints"]}
    assert holds(over, merged)
    assert all(holds(item, merged_endpoints[item["id"]]) for item in over_endpoints)
    assert all(merged[key] == base[key] for key in merged if key not in over)


@given(TABLES, TABLES, TABLES)
def test_tables_that_agree_on_their_kinds_may_be_laid_in_any_grouping(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    def alike(left: Any, right: Any) -> bool:
        if isinstance(left, dict) != isinstance(right, dict):
            return False
        return not isinstance(left, dict) or all(alike(left[key], right[key]) for key in left if key in right)

    if alike(first, second) and alike(second, third) and alike(first, third):
        assert merge(merge(first, second), third) == merge(first, merge(second, third))
