"""The repository a release comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploykit.edges.git import Repository
from deploykit.errors import ConfigError, FailedBefore
from tests.unit.git_kit import commit, git, write


def test_a_commit_is_found_by_sha_beginning_branch_and_tag(tmp_path: Path) -> None:
    sha = commit(tmp_path, {"a": "1"}, "say hello")
    git(tmp_path, "tag", "-m", "one", "v1")
    repository = Repository.find(tmp_path)
    for name in (sha, sha[:8], "main", "v1"):
        assert repository.resolve(name).sha == sha
    head = repository.head()
    assert (head.subject, head.time, head.dirty, head.tag) == ("say hello", "2026-11-21T06:20:00Z", None, sha)


@pytest.mark.parametrize("name", ["nowhere", "0" * 40, "--all", "HEAD:a"])
def test_an_unknown_commit_is_refused_with_what_to_type(tmp_path: Path, name: str) -> None:
    commit(tmp_path, {"a": "1"})
    with pytest.raises(FailedBefore) as caught:
        Repository.find(tmp_path).resolve(name)
    assert f'"{name}" is no commit' in caught.value.message
    assert "git fetch --all" in caught.value.hint


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(FailedBefore, match="in no git repository"):
        Repository.find(tmp_path)


def test_a_repository_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(FailedBefore, match="no commit yet"):
        Repository.find(tmp_path).head()


def test_a_git_hook_of_another_repository_does_not_mislead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sha = commit(tmp_path / "ours", {"a": "1"})
    commit(tmp_path / "theirs", {"b": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "theirs" / ".git" / "index"))
    assert Repository.find(tmp_path / "ours").head().sha == sha


def test_ancestry_is_told_where_it_is_known(tmp_path: Path) -> None:
    first = commit(tmp_path / "whole", {"a": "1"})
    second = commit(tmp_path / "whole", {"a": "2"})
    whole = Repository.find(tmp_path / "whole")
    assert whole.is_ancestor(first, second) is True
    assert whole.is_ancestor(first, first) is True
    assert whole.is_ancestor(second, first) is False
    assert whole.is_ancestor("0" * 40, second) is None


def test_a_shallow_clone_does_not_claim_to_know_ancestry(tmp_path: Path) -> None:
    first = commit(tmp_path / "whole", {"a": "1"})
    second = commit(tmp_path / "whole", {"a": "2"})
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/whole", "shallow")
    shallow = Repository.find(tmp_path / "shallow")
    assert shallow.is_ancestor(first, second) is None
    with pytest.raises(FailedBefore) as caught:
        shallow.resolve(first)
    assert "--unshallow" in caught.value.hint


def test_uncommitted_is_what_is_changed_or_new_and_not_ignored_under_the_paths(tmp_path: Path) -> None:
    commit(tmp_path, {".gitignore": "*.log\n", "app/a": "1", "app/gone": "1", "app/staged": "1", "other/x": "1"})
    repository = Repository.find(tmp_path)
    assert repository.uncommitted([tmp_path]) == []
    write(tmp_path, {"app/a": "2", "app/new/b é": "1", "app/x.log": "1", "other/x": "2", "app/staged": "2"})
    (tmp_path / "app/gone").unlink()
    git(tmp_path, "add", "app/staged")
    assert repository.uncommitted([tmp_path / "app"]) == ["app/a", "app/gone", "app/new/b é", "app/staged"]
    assert repository.uncommitted([]) == []
    assert "other/x" in repository.uncommitted([tmp_path])


def test_looking_for_changes_does_not_write_to_the_repository(tmp_path: Path) -> None:
    commit(tmp_path, {"a": "1"})
    index = (tmp_path / ".git/index").read_bytes()
    (tmp_path / "a").write_text("1")  # same content, another time: git would refresh its index
    assert Repository.find(tmp_path).uncommitted([tmp_path]) == []
    assert (tmp_path / ".git/index").read_bytes() == index


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ann:token@github.com/x/shop.git", "https://github.com/x/shop.git"),
        ("https://x-access-token:t@github.com/x/shop", "https://github.com/x/shop"),
        ("ssh://git@example.com:22/x/shop.git", "ssh://example.com:22/x/shop.git"),
        ("git@github.com:x/shop.git", "git@github.com:x/shop.git"),
    ],
)
def test_the_origin_is_told_without_credentials(tmp_path: Path, address: str, shown: str) -> None:
    commit(tmp_path, {"a": "1"})
    repository = Repository.find(tmp_path)
    assert repository.origin_url() is None
    git(tmp_path, "remote", "add", "origin", address)
    assert repository.origin_url() == shown


def test_a_tree_is_known_by_its_content(tmp_path: Path) -> None:
    first = commit(tmp_path, {"app/a": "1", "b": "1"})
    second = commit(tmp_path, {"b": "2"})
    repository = Repository.find(tmp_path / "app")
    assert repository.tree(first, "app") == repository.tree(second, "app")
    assert repository.tree(first, "") != repository.tree(second, "")
    assert repository.tree(first, "nowhere") is None


def test_a_path_outside_the_repository_is_refused(tmp_path: Path) -> None:
    commit(tmp_path / "in", {"app/a": "1"})
    repository = Repository.find(tmp_path / "in")
    assert repository.inside(tmp_path / "in/app/../app") == "app"
    assert repository.inside(tmp_path / "in") == ""
    with pytest.raises(ConfigError, match="outside the git repository"):
        repository.inside(tmp_path / "in/../out")


def test_the_work_tree_hash_is_of_names_contents_and_kinds_only(tmp_path: Path) -> None:
    commit(tmp_path, {".gitignore": ".env\n", "app/a": "1", "app/b": "2", "other": "1"})
    repository, app = Repository.find(tmp_path), tmp_path / "app"
    before = repository.work_tree_hash([app])
    assert len(before) == 12
    (app / "a").write_text("1")
    write(tmp_path, {"other": "2"})
    assert repository.work_tree_hash([app, app / "a"]) == before
    seen = {before}
    for change in (
        lambda: (app / "a").write_text("3"),
        lambda: (app / "a").chmod(0o755),
        lambda: (app / "a").rename(app / "c"),
        lambda: (app / "link").symlink_to("c"),
        lambda: (app / ".env").write_text("ignored by git, sent to docker"),
    ):
        change()
        seen.add(repository.work_tree_hash([app]))
    assert len(seen) == 6
