"""What the sandbox makes of a configuration."""

from __future__ import annotations

from pathlib import Path

from deploykit.config.load import load
from deploykit.sandbox import platform
from deploykit.sandbox.platform import Platform

HEAD = """
[project]
name = "harbour"
region = "eu-west-1"
[environments.dev]
account = "123456789012"
cluster = "boats"
"""


def _platform(folder: Path, text: str, environment: str = "") -> Platform:
    path = folder / "deploykit.toml"
    path.write_text(HEAD + environment + text)
    return platform.of(load(path, None, {}), 9000)


def test_services_take_what_the_local_tables_say(tmp_path: Path) -> None:
    found = _platform(tmp_path, """
[services.api]
context = "api"
repository = "harbour/api"
service = "{env}-api"
[services.mailer]
context = "mailer"
repository = "harbour/mailer"
service = "mailer"
cluster = "letters"
container = "main"
[services.tool]
context = "tool"
repository = "harbour/tool"
[build]
cache = "registry:harbour/cache"
[local.services.api]
port = 80
routes = ["/api/*", "/v1/*"]
count = 3
secrets = { KEY = "harbour/keys:one", WHOLE = "harbour/whole" }
""")  # fmt: skip
    api, mailer = found.services
    assert (api.name, api.cluster, api.container, api.port, api.count) == ("dev-api", "boats", "api", 80, 3)
    assert api.routes == ("/api/*", "/v1/*")
    assert api.secrets == {"KEY": ("harbour/keys", "one"), "WHOLE": ("harbour/whole", "")}
    assert (mailer.cluster, mailer.container, mailer.port, mailer.count) == ("letters", "main", None, 1)
    assert found.clusters == ("boats", "letters")
    assert found.repositories == ("harbour/api", "harbour/mailer", "harbour/tool")
    assert found.mutable_repositories == ("harbour/cache",)
    assert found.database == ""


SERVICES = """
[services.api]
context = "api"
repository = "api"
service = "api"
[services.site]
context = "site"
repository = "site"
service = "site"
[local.services.api]
port = 80
routes = ["/api/*"]
[local.services.site]
port = 81
"""


def test_the_urls_host_leads_to_the_first_distribution(tmp_path: Path) -> None:
    addresses = (
        'url = "https://harbour.example/shop/"\norigin = "https://alb.example"\nstate = "s3://harbour-state/dev"\n'
    )
    found = _platform(tmp_path, SERVICES + """
[cdn.site]
distribution = "E1"
after = ["site"]
[cdn.other]
distribution = "E2"
paths = ["#menu"]
""", addresses)  # fmt: skip
    assert (found.url, found.url_host) == ("http://harbour.example/shop", "harbour.example")
    assert found.origin_host == "alb.example"
    first, second = found.distributions
    assert first.id == "E1"
    assert first.names[0] == "harbour.example"
    assert first.uncached == ("/api/*",)
    assert (second.names, second.uncached, second.tagged) == ((), (), True)
    assert found.bucket == "harbour-state"


def test_without_a_url_the_site_is_at_the_edges_address(tmp_path: Path) -> None:
    found = _platform(tmp_path, SERVICES)
    assert (found.url, found.url_host) == ("http://127.0.0.1:9000", "127.0.0.1")
    assert (found.distributions, found.bucket) == ((), "")


def test_the_instance_is_the_same_every_time_and_another_for_another_file(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = _platform(tmp_path, SERVICES).instance
    assert one == _platform(tmp_path, SERVICES).instance
    assert one != _platform(tmp_path / "other", SERVICES).instance
