"""The file is found, its environment chosen, and what stands outside wins where it may."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploykit.config.example import example_text
from deploykit.config.json_schema import json_schema
from deploykit.config.load import find, load
from deploykit.config.schema import Checks, Endpoint, Expect, Matchers, Service
from deploykit.errors import ConfigError
from tests.unit.config_files import TEN_LINES, read, refused, said

TWO = TEN_LINES + '[environments.dev]\naccount = "123456789012"\ncluster = "dev"\n'


def test_ten_lines_deploy(tmp_path: Path) -> None:
    assert len(TEN_LINES.splitlines()) == 10
    configuration = read(tmp_path, TEN_LINES)
    assert (configuration.environment, configuration.root, configuration.region) == ("prod", tmp_path, "eu-central-1")
    assert configuration.services == {
        "web": Service(context=".", repository="shop/web", service="web", container="web", dockerfile="Dockerfile")
    }
    assert configuration.checks == Checks(timeout=5, interval=5, samples=3, noise=0.01, detect=0.33, deadline=300)
    assert (configuration.url, configuration.cdn, configuration.rollout.deadline) == (None, {}, 900.0)


def test_the_example_loads_and_checks_the_seven_endpoints(tmp_path: Path) -> None:
    configuration = read(tmp_path, example_text())
    base = configuration.url or ""
    paths = ["/", "/about", "/projects", "/contact", "/health", "/api/health", "/api/projects"]
    assert [endpoint.address(base) for endpoint in configuration.checks.endpoints] == [
        f"https://davidshaevel.com{path}" for path in paths
    ]
    health = next(endpoint for endpoint in configuration.checks.endpoints if endpoint.id == "backend-health")
    assert health.expect == Expect(status=(200,), json={"status": "ok", "database": "connected"}, max_latency=2.0)
    assert {key: service.service for key, service in configuration.services.items()} == {
        "backend": "dev-davidshaevel-backend",
        "frontend": "dev-davidshaevel-frontend",
    }
    assert configuration.local.services["backend"].routes == ("/api/*",)


def test_what_the_example_comments_out_is_right_too(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (?=\[?\[?[a-z_.]+(\]\]?| = ))", "", example_text())
    text = text.replace('image = "frontend"', "").replace("hooks.slack.com/…", "hooks.slack.com/x")
    configuration = read(tmp_path, text)
    backend = configuration.services["backend"]
    assert backend.migrate is not None
    assert (backend.migrate.on_rollback, backend.target, backend.only) == ("stop", "production", ("dev",))
    assert (configuration.region, configuration.history, configuration.connect_to) == (
        "us-west-2",
        "any",
        "127.0.0.1:4566",
    )
    assert len(configuration.checks.maintenance) == 1
    last = configuration.checks.endpoints[-1].expect
    assert last.json == {"0.id": Matchers(exists=True), "0.stars": Matchers(gt=3)}
    assert last.headers == {"content-type": Matchers(matches="json")}


def test_the_example_shows_every_key() -> None:
    text = example_text()
    for name, definition in json_schema()["$defs"].items():
        for key in definition["properties"]:
            assert re.search(rf"(?m)(^|[\s.{{,\[]){key}\b", text), f"{name}.{key}"


def test_the_schema_describes_every_key_and_takes_what_overlays_may_hold() -> None:
    schema = json_schema()
    for name, definition in schema["$defs"].items():
        assert definition["additionalProperties"] is False
        undescribed = [key for key, value in definition["properties"].items() if not value.get("description")]
        assert undescribed == [], name
    assert schema["$defs"]["Rollout"]["properties"]["deadline"]["default"] == "15m"
    assert schema["$defs"]["Environment"]["properties"]["checks"]["$ref"] == "#/$defs/Checks"
    assert set(schema["properties"]) == {
        "project", "environments", "services", "cdn", "build", "rollout", "notify", "checks", "local",
    }  # fmt: skip


def test_the_file_is_found_by_flag_by_variable_here_and_in_a_parent_folder(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for path in (tmp_path / "deploykit.toml", tmp_path / "a" / "other.toml", deep / "third.toml"):
        path.write_text(TEN_LINES)
    assert find(None, {}, deep) == tmp_path / "deploykit.toml"
    assert find(None, {"DEPLOYKIT_CONFIG": "../other.toml"}, deep).samefile(tmp_path / "a" / "other.toml")
    assert find(Path("third.toml"), {"DEPLOYKIT_CONFIG": "../other.toml"}, deep) == deep / "third.toml"


def test_no_file_is_told_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no deploykit\.toml in") as caught:
        find(None, {}, tmp_path)
    assert "deploykit init" in caught.value.hint
    with pytest.raises(ConfigError, match=r"no configuration file x\.toml \(from --config\)"):
        find(Path("x.toml"), {}, tmp_path)
    with pytest.raises(ConfigError, match=r"no configuration file x\.toml \(from DEPLOYKIT_CONFIG\)") as caught:
        find(None, {"DEPLOYKIT_CONFIG": "x.toml"}, tmp_path)
    assert caught.value.hint == "set DEPLOYKIT_CONFIG to an existing file, or unset it"
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, None, {})


def test_the_environment_is_the_flags_else_the_variables_else_the_default_else_the_only_one(tmp_path: Path) -> None:
    default = TWO.replace("[environments.prod]", 'default_environment = "dev"\n[environments.prod]')
    assert read(tmp_path, default, "prod", {"DEPLOYKIT_ENV": "dev"}).environment == "prod"
    assert read(tmp_path, default, None, {"DEPLOYKIT_ENV": "prod"}).environment == "prod"
    assert read(tmp_path, default, None, {"DEPLOYKIT_ENV": ""}).environment == "dev"
    assert read(tmp_path, TEN_LINES).environment == "prod"


def test_several_environments_without_a_default_need_a_choice(tmp_path: Path) -> None:
    error = refused(tmp_path, TWO)
    assert "several environments (prod, dev)" in error.message
    assert error.hint == "pick one: --env prod"


def test_an_unknown_environment_is_told_the_nearest(tmp_path: Path) -> None:
    error = refused(tmp_path, TWO, "prd")
    assert 'no environment "prd" (from --env)' in error.message
    assert error.hint == "did you mean --env prod?"
    wrong = refused(tmp_path, TWO, None, {"DEPLOYKIT_ENV": "prd"})
    assert "(from DEPLOYKIT_ENV)" in wrong.message
    assert wrong.hint == "set DEPLOYKIT_ENV=prod, or unset it and add --env NAME"


def test_variables_win_over_the_environments_keys_and_stand_in_for_a_missing_url(tmp_path: Path) -> None:
    text = TEN_LINES + '[[checks.endpoints]]\nid = "a"\npath = "/a?b=c"\n'
    env = {
        "DEPLOYKIT_URL": "http://127.0.0.1:8080/",
        "DEPLOYKIT_REGISTRY": "127.0.0.1:5000",
        "DEPLOYKIT_CONNECT_TO": "[::1]:8080",
    }
    configuration = read(tmp_path, text, None, env)
    assert (configuration.registry, configuration.connect_to) == ("127.0.0.1:5000", "[::1]:8080")
    assert configuration.checks.endpoints[0].address(configuration.url or "") == "http://127.0.0.1:8080/a?b=c"


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES, None, {"DEPLOYKIT_URL": "example.com"})
    assert said(error) == [
        'None: DEPLOYKIT_URL = "example.com": must be an address such as "https://example.com", without a query'
    ]
    assert error.message == "DEPLOYKIT_URL in the environment is wrong"
    assert error.hint == "nothing was done; fix DEPLOYKIT_URL, or unset it"


def test_a_wrong_variable_beside_a_wrong_file_is_named_too(tmp_path: Path) -> None:
    error = refused(tmp_path, TEN_LINES + "wrong = 1\n", None, {"DEPLOYKIT_CONNECT_TO": "nowhere"})
    assert error.message.endswith("has one problem, and DEPLOYKIT_CONNECT_TO in the environment is wrong")
    assert error.hint == "nothing was done; fix the file and DEPLOYKIT_CONNECT_TO and repeat the command"
    assert len(error.problems) == 2


def test_an_endpoint_has_its_only_services_version_and_a_name(tmp_path: Path) -> None:
    text = TEN_LINES + '[[checks.endpoints]]\nid = "a"\nurl = "https://x.y"\nversion = { header = "x-release" }\n'
    endpoint = read(tmp_path, text).checks.endpoints[0]
    assert (endpoint.name, endpoint.service, endpoint.address("https://other")) == ("a", "web", "https://x.y")


def test_what_was_read_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Endpoint(id="a", path="/").id = "b"


def test_help_does_not_pay_for_the_configuration() -> None:
    program = "import deploykit.config.durations, sys; print('pydantic' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
