"""The first configuration of a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.config.load import load
from tests.unit.cli_kit import run


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Corner Shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def dockerfile(folder: Path, *lines: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text("\n".join(["FROM scratch", *lines]), encoding="utf-8")


def test_every_folder_with_a_dockerfile_becomes_a_service(repository: Path) -> None:
    dockerfile(repository / "api", "EXPOSE 8000")
    dockerfile(repository / "web", "EXPOSE 80")
    dockerfile(repository / "apps" / "mailer")
    dockerfile(repository / "node_modules" / "other")
    assert run("init").code == 0
    configuration = load(repository / "deploykit.toml", None, {})
    assert configuration.project.name == "corner-shop"
    assert {key: service.context for key, service in configuration.services.items()} == {
        "api": "api",
        "web": "web",
        "mailer": "apps/mailer",
    }
    local = configuration.local.services
    assert {key: (service.port, service.routes) for key, service in local.items()} == {
        "api": (8000, ("/api/*",)),
        "web": (80, ()),
        "mailer": (None, ()),
    }


def test_the_name_comes_from_the_remote_where_there_is_one(repository: Path) -> None:
    (repository / ".git").mkdir()
    remote = '[core]\n\tbare = false\n[remote "origin"]\n\turl = git@github.com:someone/Fine_Site.git\n\tfetch = x\n'
    (repository / ".git" / "config").write_text(remote, encoding="utf-8")
    run("init")
    assert load(repository / "deploykit.toml", None, {}).project.name == "fine-site"


@pytest.mark.parametrize("expose", [[], ["EXPOSE 8080/tcp"], ["EXPOSE $PORT"]])
def test_a_repository_that_is_one_service_gets_one(repository: Path, expose: list[str]) -> None:
    dockerfile(repository, *expose)
    run("init")
    services = load(repository / "deploykit.toml", None, {}).services
    assert [(key, service.context) for key, service in services.items()] == [("corner-shop", ".")]


def test_nothing_of_the_example_platform_is_left_in_it(repository: Path) -> None:
    dockerfile(repository / "api", "EXPOSE 8000")
    run("init")
    text = (repository / "deploykit.toml").read_text(encoding="utf-8")
    assert "davidshaevel" not in text
    assert "108581769167" not in text


def test_an_existing_file_is_left_as_it_is(repository: Path) -> None:
    (repository / "deploykit.toml").write_text("mine", encoding="utf-8")
    ran = run("init")
    assert ran.code == 2
    assert "exists already" in ran.err
    assert (repository / "deploykit.toml").read_text(encoding="utf-8") == "mine"


def test_it_prints_the_commands_that_make_the_state_bucket(repository: Path) -> None:
    document = run("init", "--json", "--config", "other.toml").document
    assert document["file"] == str(repository / "other.toml")
    assert [command.split()[2] for command in document["commands"]] == [
        "create-bucket",
        "put-bucket-versioning",
        "put-public-access-block",
    ]
    bucket = document["commands"][0].split()[4]
    assert f"s3://{bucket}/" in (repository / "other.toml").read_text(encoding="utf-8")


def test_a_folder_without_a_dockerfile_is_said_to_have_none(repository: Path) -> None:
    ran = run("init")
    assert ran.code == 0
    assert f"warning: no Dockerfile in {repository} or two folders deep: service corner-shop stands for" in ran.out
    (repository / "deploykit.toml").unlink()
    [warning] = run("init", "--json").document["warnings"]
    assert "add a Dockerfile" in warning
    (repository / "deploykit.toml").unlink()
    dockerfile(repository / "api")
    assert run("init", "--json").document["warnings"] == []


def test_the_commands_to_go_on_with_stand_in_quotes(repository: Path) -> None:
    dockerfile(repository)
    assert "  → `deploykit sandbox up` tries it here; `deploykit deploy` releases" in run("init").out
