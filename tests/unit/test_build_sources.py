"""Which files an image is made of, and whether they are committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.config.schema import Configuration
from deploykit.edges.git import Repository
from deploykit.errors import ConfigError, FailedBefore, Refused
from deploykit.images.sources import built_services, identify, lay_out
from tests.unit.config_files import read
from tests.unit.git_kit import commit, write

HEAD = """
    [project]
    name = "shop"
    region = "us-east-1"
    [environments.prod]
    account = "123456789012"
    cluster = "shop"
"""
SERVICES = """
    [services.web]
    context = "../web"
    repository = "shop/web"
    service = "web"
    [services.api]
    context = "../api"
    dockerfile = "../docker/api.Dockerfile"
    repository = "shop/api"
    service = "api"
    [services.worker]
    image = "api"
    service = "worker"
"""
FILES = {"web/Dockerfile": "FROM scratch", "web/a": "1", "api/a": "1", "docker/api.Dockerfile": "FROM scratch"}


def _shop(folder: Path, services: str = SERVICES) -> tuple[Repository, Configuration]:
    write(folder, {**FILES, ".gitignore": ".env\n", "deploy/x": ""})
    configuration = read(folder / "deploy", HEAD + services)
    commit(folder, {})
    return Repository.find(configuration.root), configuration


def test_a_clean_head_is_released(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    write(tmp_path, {"web/.env": "ignored", "README.md": "not a part of any image"})
    assert identify(repository, configuration, configuration.services) == repository.head()


@pytest.mark.parametrize(
    "name",
    ["web/a", "web/new", "docker/api.Dockerfile", "docker/api.Dockerfile.dockerignore", "deploy/deploykit.toml"],
)
def test_an_uncommitted_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    repository, configuration = _shop(tmp_path)
    write(tmp_path, {name: "changed"})
    with pytest.raises(Refused) as caught:
        identify(repository, configuration, ["web", "worker"])
    assert caught.value.message.splitlines()[1:] == [f"  {name}"]
    assert "--allow-dirty" in caught.value.hint


def test_only_the_chosen_services_must_be_committed(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    write(tmp_path, {"api/a": "changed"})
    assert identify(repository, configuration, ["web"]) == repository.head()
    with pytest.raises(Refused, match="api/a"):
        identify(repository, configuration, ["worker"])


def test_uncommitted_content_is_named_anew_by_all_that_makes_it_another_image(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    write(tmp_path, {"api/a": "changed"})

    def dirty(asked: Configuration) -> str | None:
        return identify(repository, asked, ["api"], allow_dirty=True).dirty

    names = [dirty(configuration)]
    assert dirty(configuration) == names[0]
    write(tmp_path, {"docker/api.Dockerfile.dockerignore": "a"})
    names.append(dirty(configuration))
    api = configuration.services["api"]
    others: list[dict[str, object]] = [
        {"build_args": {"STAGE": "dev"}},
        {"target": "dev"},
        {"platform": "linux/arm64"},
    ]
    for other in others:
        services = {**configuration.services, "api": api.model_copy(update=other)}  # what an environment's overlay does
        names.append(dirty(configuration.model_copy(update={"services": services})))
    assert len(set(names)) == 5
    assert None not in names


def test_at_most_ten_uncommitted_files_are_listed(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    write(tmp_path, {f"web/{number:02}": "new" for number in range(13)})
    with pytest.raises(Refused) as caught:
        identify(repository, configuration, ["web"])
    lines = caught.value.message.splitlines()
    assert (lines[1], lines[10], lines[11]) == ("  web/00", "  web/09", "  and 3 more")


def test_a_named_commit_is_released_whatever_the_work_tree_holds(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    first = repository.head()
    commit(tmp_path, {"web/a": "2"})
    write(tmp_path, {"web/a": "3"})
    assert identify(repository, configuration, ["web"], sha=first.sha[:9]) == first
    assert identify(repository, configuration, ["web"], sha=first.sha, allow_dirty=True) == first


def test_allowed_changes_make_a_tag_of_their_content(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path)
    clean = identify(repository, configuration, ["web"], allow_dirty=True)
    assert clean == repository.head()
    write(tmp_path, {"web/a": "2"})
    dirty = identify(repository, configuration, ["web"], allow_dirty=True)
    assert dirty.tag == f"{clean.sha}-dirty-{dirty.dirty}"
    assert identify(repository, configuration, ["web"], allow_dirty=True) == dirty
    write(tmp_path, {"web/a": "3"})
    assert identify(repository, configuration, ["web"], allow_dirty=True) != dirty


def test_contexts_and_dockerfiles_are_laid_out_from_the_commit(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path / "shop")
    write(tmp_path / "shop", {"web/a": "half-finished", "api/.env": "secret"})
    services = built_services(configuration, configuration.services)
    laid_out = lay_out(repository, configuration, services, repository.head(), tmp_path / "tree")
    assert list(laid_out) == ["web", "api"]
    context, dockerfile = laid_out["web"]
    assert ((context / "a").read_text(), dockerfile) == ("1", context / "Dockerfile")
    context, dockerfile = laid_out["api"]
    assert [path.name for path in context.iterdir()] == ["a"]
    assert dockerfile == tmp_path / "tree/docker/api.Dockerfile"


def test_with_uncommitted_changes_allowed_the_work_tree_itself_is_built(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path / "shop")
    write(tmp_path / "shop", {"web/a": "half-finished"})
    dirty = identify(repository, configuration, ["web"], allow_dirty=True)
    services = built_services(configuration, ["web"])
    laid_out = lay_out(repository, configuration, services, dirty, tmp_path / "tree")
    assert laid_out == {"web": (tmp_path / "shop/web", tmp_path / "shop/web/Dockerfile")}


def test_a_service_without_uncommitted_changes_is_built_from_the_commit_beside_one_with_some(tmp_path: Path) -> None:
    repository, configuration = _shop(tmp_path / "shop")
    write(tmp_path / "shop", {"web/a": "half-finished", "api/.env": "secret"})
    dirty = identify(repository, configuration, ["web", "api"], allow_dirty=True)
    services = built_services(configuration, ["web", "api"])
    laid_out = lay_out(repository, configuration, services, dirty, tmp_path / "tree")
    assert laid_out["web"][0] == tmp_path / "shop/web"
    assert laid_out["api"] == (tmp_path / "tree/api", tmp_path / "tree/docker/api.Dockerfile")
    assert [path.name for path in laid_out["api"][0].iterdir()] == ["a"]


def test_a_context_may_be_the_whole_repository(tmp_path: Path) -> None:
    services = '[services.web]\ncontext = ".."\ndockerfile = "docker/api.Dockerfile"\nrepository = "shop/web"'
    repository, configuration = _shop(tmp_path / "shop", services.replace("\n", "\n    "))
    built = built_services(configuration, ["web"])
    laid_out = lay_out(repository, configuration, built, repository.head(), tmp_path / "tree")
    assert laid_out == {"web": (tmp_path / "tree", tmp_path / "tree/docker/api.Dockerfile")}


@pytest.mark.parametrize(
    ("path", "what", "hint"),
    [
        ("web", "context web does not exist", "`context`"),
        ("web/Dockerfile", "Dockerfile web/Dockerfile", "`dockerfile`"),
    ],
)
def test_what_the_commit_lacks_is_named(tmp_path: Path, path: str, what: str, hint: str) -> None:
    repository, configuration = _shop(tmp_path / "shop")
    (tmp_path / "shop" / path).rename(tmp_path / "away")
    commit(tmp_path / "shop", {})
    services = built_services(configuration, ["web"])
    with pytest.raises(FailedBefore) as caught:
        lay_out(repository, configuration, services, repository.head(), tmp_path / "tree")
    assert what in caught.value.message
    assert hint in caught.value.hint
    (tmp_path / "away").rename(tmp_path / "shop" / path)
    with pytest.raises(FailedBefore) as caught:
        lay_out(repository, configuration, services, repository.head(), tmp_path / "tree2")
    assert "on disk and not committed: `git add" in caught.value.hint


def test_a_context_outside_the_repository_is_refused(tmp_path: Path) -> None:
    services = '[services.web]\n    context = "../../elsewhere"\n    repository = "shop/web"'
    repository, configuration = _shop(tmp_path / "shop", f"\n    {services}\n")
    with pytest.raises(ConfigError, match="outside the git repository"):
        identify(repository, configuration, ["web"])
