"""What makes two images the same image."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploykit.config.schema import Configuration, Service
from deploykit.edges.git import Repository
from deploykit.errors import FailedBefore
from deploykit.images.content import ContentKey, content_key, refuse_secret_arguments
from deploykit.images.lookup import rebuild_tag
from tests.unit.config_files import read
from tests.unit.git_kit import commit

part = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(part, part, part, part, part, st.integers(1, 20))
def test_a_key_is_read_back_from_its_tag_and_from_that_of_a_rebuild(
    context: str, recipe: str, target: str, platform: str, arguments: str, number: int
) -> None:
    key = ContentKey(context, recipe, target, platform, arguments)
    assert ContentKey.of_tag(key.tag) == key == ContentKey.of_tag(rebuild_tag(key.tag, number))
    assert len(rebuild_tag(key.tag, number)) <= 128  # ECR's limit


@pytest.mark.parametrize("tag", ["a" * 40, "latest", "content-", "content-abc", "a" * 40 + "-r1"])
def test_other_tags_are_no_keys(tag: str) -> None:
    assert ContentKey.of_tag(tag) is None


FILES = {
    "web/Dockerfile": "FROM scratch\nCOPY . /\n",
    "web/.dockerignore": "*.md\n",
    "web/index.html": "hello",
    "api/Dockerfile": "FROM scratch\n",
    "docker/web.Dockerfile": "FROM scratch\n",
}


class Project:
    """A committed project and the key of its web image."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.folder = folder
        commit(folder, FILES)
        self.configuration: Configuration = read(
            folder,
            '[project]\nname = "shop"\nregion = "us-east-1"\n[environments.prod]\naccount = "123456789012"\n'
            f'cluster = "shop"\n[services.web]\ncontext = "web"\nrepository = "shop/web"\nservice = "web"\n{more}\n',
        )

    def key(self, platform: str = "linux/amd64") -> ContentKey:
        repository = Repository.find(self.folder)
        found = content_key(repository, self.configuration, "web", repository.head(), platform)
        assert found is not None
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "shop")


@pytest.mark.parametrize(
    ("path", "differs"),
    [
        ("web/index.html", ["the files of its context"]),
        ("web/Dockerfile", ["the files of its context", "its Dockerfile or ignore file"]),
        ("web/.dockerignore", ["the files of its context"]),
        ("web/Dockerfile.dockerignore", ["the files of its context", "its Dockerfile or ignore file"]),
        ("api/Dockerfile", []),
        ("README.md", []),
    ],
)
def test_a_key_changes_with_what_its_image_is_made_of_and_with_nothing_else(
    project: Project, path: str, differs: list[str]
) -> None:
    before = project.key()
    commit(project.folder, {path: "FROM scratch\n# changed\n"})
    assert project.key().differs_from(before) == differs


def test_a_dockerfile_outside_the_context_counts(tmp_path: Path) -> None:
    project = Project(tmp_path / "shop", 'dockerfile = "../docker/web.Dockerfile"')
    before = project.key()
    commit(project.folder, {"docker/web.Dockerfile": "FROM scratch\n# changed\n"})
    assert project.key().differs_from(before) == ["its Dockerfile or ignore file"]


@pytest.mark.parametrize(
    ("more", "word"), [('target = "production"', "build stage"), ('build_args = { A = "1" }', "build arguments")]
)
def test_target_and_build_arguments_count(tmp_path: Path, more: str, word: str) -> None:
    (difference,) = Project(tmp_path / "one", more).key().differs_from(Project(tmp_path / "two").key())
    assert word in difference


def test_the_platform_counts(project: Project) -> None:
    assert project.key("linux/arm64").differs_from(project.key()) == ["the platform"]


@pytest.mark.parametrize("name", ["NPM_TOKEN", "db_password", "API_KEY", "AWS_SECRET_ACCESS_KEY"])
def test_build_arguments_that_look_like_secrets_are_refused(name: str) -> None:
    with pytest.raises(FailedBefore, match=name) as caught:
        refuse_secret_arguments({"web": Service(context="web", repository="web", build_args={name: "v1"})})
    assert "build_secrets" in caught.value.hint
    assert "v1" not in str(caught.value)


def test_ordinary_build_arguments_are_let_through() -> None:
    refuse_secret_arguments({"web": Service(context="web", repository="web", build_args={"BASE": "node:20"})})
