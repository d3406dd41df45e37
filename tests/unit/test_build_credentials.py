"""The login of a push: a helper that repeats the token, and a configuration that does not hold it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deploykit.edges.aws.ecr import Login
from deploykit.images.credentials import logged_in

TOKEN = "a\"b\\c%d$e`f'g=="
LOGIN = Login("AWS", TOKEN, "https://123456789012.dkr.ecr.us-east-1.amazonaws.com")
HOST = "127.0.0.1:4566"


def _everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _ask(environment: dict[str, str], verb: str, server: str = HOST) -> str:
    program = Path(environment["DOCKER_CONFIG"]) / "docker-credential-deploykit"
    environment = {**environment, "PATH": environment["PATH"].partition(":")[0] + ":/bin:/usr/bin"}
    asked = subprocess.run((program, verb), input=server, env=environment, capture_output=True, text=True, check=True)
    return asked.stdout


def test_the_helper_answers_docker_with_the_token(tmp_path: Path) -> None:
    with logged_in(LOGIN, HOST, {"HOME": str(tmp_path), "PATH": "/bin"}) as environment:
        answer = json.loads(_ask(environment, "get"))
        assert answer == {"ServerURL": HOST, "Username": "AWS", "Secret": TOKEN}
        assert _ask(environment, "store") == ""
        assert _ask(environment, "erase") == ""


def test_no_file_holds_the_token_and_none_is_left(tmp_path: Path) -> None:
    with logged_in(LOGIN, HOST, {"HOME": str(tmp_path), "PATH": "/bin"}) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        assert folder.stat().st_mode & 0o077 == 0
        assert json.loads((folder / "config.json").read_text())["credHelpers"] == {HOST: "deploykit"}
        assert TOKEN.encode() not in _everything_under(folder)
    assert not folder.exists()


def test_the_users_engine_proxies_and_plugins_stay_and_their_credentials_do_not(tmp_path: Path) -> None:
    theirs = {
        "auths": {"https://index.docker.io/v1/": {"auth": "c2VjcmV0"}},
        "credsStore": "desktop",
        "currentContext": "far",
        "proxies": {"default": {"httpProxy": "http://proxy:3128"}},
        "cliPluginsExtraDirs": ["/opt/plugins"],
    }
    user = tmp_path / "config"
    (user / "contexts/meta").mkdir(parents=True)
    (user / "contexts/meta/meta.json").write_text("{}")
    (user / "config.json").write_text(json.dumps(theirs))
    base = {"DOCKER_CONFIG": str(user), "PATH": "/bin", "DOCKER_AUTH_CONFIG": "{}", "DOCKER_HOST": "tcp://x:1"}
    with logged_in(LOGIN, HOST, base) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        ours = json.loads((folder / "config.json").read_text())
        assert ours == {
            "currentContext": "far",
            "proxies": theirs["proxies"],
            "cliPluginsExtraDirs": ["/opt/plugins", str(user / "cli-plugins")],
            "credHelpers": {HOST: "deploykit"},
        }
        assert (folder / "contexts/meta/meta.json").is_file()
        assert environment["BUILDX_CONFIG"] == str(user / "buildx")
        assert environment["DOCKER_HOST"] == "tcp://x:1"
        assert "DOCKER_AUTH_CONFIG" not in environment
    assert (user / "contexts/meta/meta.json").is_file()


@pytest.mark.parametrize("broken", ["", "not json", "[]"])
def test_a_broken_configuration_of_the_user_does_not_stop_a_push(tmp_path: Path, broken: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(broken)
    with logged_in(LOGIN, HOST, {"HOME": str(tmp_path)}) as environment:
        assert json.loads(_ask({"PATH": "", **environment}, "get"))["Secret"] == TOKEN


def test_a_login_never_shows_its_password() -> None:
    assert TOKEN not in repr(LOGIN)


def test_a_build_reads_the_users_own_passwords_where_they_are(tmp_path: Path) -> None:
    hub, other = "https://index.docker.io/v1/", "registry.example.com"
    theirs = {
        "auths": {hub: {"auth": "YW5uOnMzY3I6ZXQ="}, other: {"identitytoken": "long-lived"}, "quay.io": {}},
        "credHelpers": {"gcr.io": "gcloud"},
        "credsStore": "desktop",
        "HttpHeaders": {"X-Meta": "1"},
    }
    user = tmp_path / "config"
    user.mkdir()
    (user / "config.json").write_text(json.dumps(theirs))
    base = {"DOCKER_CONFIG": str(user), "PATH": "/bin"}
    with logged_in(LOGIN, HOST, base, besides_theirs=True) as environment:
        folder = Path(environment["DOCKER_CONFIG"])
        ours = json.loads((folder / "config.json").read_text())
        helpers = {HOST: "deploykit", hub: "deploykit", other: "deploykit", "gcr.io": "gcloud"}
        assert (ours["credHelpers"], ours["credsStore"]) == (helpers, "desktop")
        assert ours["HttpHeaders"] == theirs["HttpHeaders"]
        assert json.loads(_ask(environment, "get", hub)) == {"ServerURL": hub, "Username": "ann", "Secret": "s3cr:et"}
        token = {"ServerURL": other, "Username": "<token>", "Secret": "long-lived"}
        assert json.loads(_ask(environment, "get", other)) == token
        assert json.loads(_ask(environment, "get"))["Secret"] == TOKEN
        held = _everything_under(folder)
        assert not any(secret in held for secret in (b"YW5uOnMzY3I6ZXQ=", b"long-lived", b"s3cr", TOKEN.encode()))
