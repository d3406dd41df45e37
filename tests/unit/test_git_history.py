"""How two commits stand to each other: in real clones, complete and shallow, and with more history fetched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from deploykit.edges import git_history
from deploykit.edges.git import Relation, Repository
from deploykit.edges.git_history import fetch_history, has_commit, local_relation
from tests.unit.git_kit import commit, git

NOWHERE = "0123456789" * 4


@dataclass(frozen=True)
class Origin:
    """``first`` – ``second`` – ``third`` on main; ``side`` on a branch that leaves after ``first``."""

    folder: Path
    first: str
    second: str
    third: str
    side: str

    def clone(self, *options: str) -> Repository:
        git(self.folder.parent, "clone", "--quiet", *options, f"file://{self.folder}", "clone")
        return Repository.find(self.folder.parent / "clone")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    folder = tmp_path / "origin"
    first = commit(folder, {"a": "1"})
    git(folder, "checkout", "--quiet", "-b", "side")
    side = commit(folder, {"b": "1"})
    git(folder, "checkout", "--quiet", "main")
    return Origin(folder, first, commit(folder, {"a": "2"}), commit(folder, {"a": "3"}), side)


def kept(repository: Repository) -> tuple[str, str, list[str]]:
    """All that fetching must leave as it is: refs, the work tree's state, and the files of the git folder."""
    files = sorted(path.name for path in repository.git_dir.iterdir() if path.name != "shallow")
    return git(repository.top, "for-each-ref"), git(repository.top, "status", "--porcelain"), files


def test_a_complete_clone_knows_every_relation(origin: Origin) -> None:
    clone = origin.clone()
    assert local_relation(clone, origin.first, origin.third) is Relation.AHEAD
    assert local_relation(clone, origin.third, origin.first) is Relation.BEHIND
    assert local_relation(clone, origin.side, origin.third) is Relation.DIVERGED
    assert local_relation(clone, origin.third, origin.third) is Relation.IDENTICAL
    assert local_relation(clone, NOWHERE, origin.third) is None
    assert [each for each in Relation if each.contains] == [Relation.IDENTICAL, Relation.AHEAD]


def test_a_shallow_clone_knows_only_a_yes(origin: Origin) -> None:
    clone = origin.clone("--depth=2", "--no-single-branch")
    assert clone.shallow
    assert local_relation(clone, origin.second, origin.third) is Relation.AHEAD
    assert local_relation(clone, origin.third, origin.second) is Relation.BEHIND
    assert has_commit(clone, origin.side)
    assert local_relation(clone, origin.side, origin.third) is None  # has both, and not where they part


def test_a_shallow_clone_becomes_complete_and_nothing_else_changes(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    before = kept(clone)
    assert not has_commit(clone, origin.first)
    assert fetch_history(clone, origin.first) == ""
    assert not clone.shallow
    assert local_relation(clone, origin.first, origin.third) is Relation.AHEAD
    assert kept(clone) == before


def test_a_commit_of_another_branch_is_fetched_by_its_sha(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    before = kept(clone)
    assert fetch_history(clone, origin.side) == ""
    assert local_relation(clone, origin.side, origin.third) is Relation.DIVERGED
    assert kept(clone) == before


def test_a_complete_clone_fetches_the_commit_alone_and_no_ref_tag_or_pruning_comes_with_it(origin: Origin) -> None:
    clone = origin.clone("--single-branch")
    git(clone.top, "config", "fetch.prune", "true")
    git(clone.top, "update-ref", "refs/remotes/origin/gone", origin.first)
    before = kept(clone)
    git(origin.folder, "tag", "v1", origin.side)
    pushed = commit(origin.folder, {"a": "4"})
    assert not has_commit(clone, pushed)
    assert fetch_history(clone, pushed) == ""
    assert local_relation(clone, pushed, origin.third) is Relation.BEHIND
    assert kept(clone) == before


def test_an_origin_whose_head_leads_nowhere_is_asked_for_the_commit(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    git(origin.folder, "symbolic-ref", "HEAD", "refs/heads/gone")
    assert fetch_history(clone, origin.first) == ""
    assert local_relation(clone, origin.first, origin.third) is Relation.AHEAD


def test_a_work_tree_beside_the_first_one_is_completed_too(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    git(clone.top, "worktree", "add", "--quiet", "../beside")
    beside = Repository.find(clone.top.parent / "beside")
    assert fetch_history(beside, origin.first) == ""
    assert local_relation(beside, origin.first, origin.third) is Relation.AHEAD


def test_what_origin_does_not_have_is_said(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    assert "not our ref" in fetch_history(clone, NOWHERE)
    assert not clone.shallow
    assert local_relation(clone, NOWHERE, origin.third) is None


def test_without_an_origin_or_with_one_that_is_gone_the_clone_stays_as_it_is(origin: Origin) -> None:
    clone = origin.clone("--depth=1")
    git(clone.top, "remote", "set-url", "origin", f"file://ann:secret@{origin.folder.parent}/gone")
    trouble = fetch_history(clone, origin.first)
    assert trouble
    assert "secret" not in trouble
    git(clone.top, "remote", "remove", "origin")
    assert "origin" in fetch_history(clone, origin.first)
    assert clone.shallow
    assert local_relation(clone, origin.first, origin.third) is None


def test_an_origin_that_does_not_answer_is_waited_for_once(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = origin.clone("--depth=1")
    asked = origin.folder.parent / "asked"
    git(clone.top, "config", "remote.origin.uploadpack", f"echo x >> {asked}; sleep 30 #")
    monkeypatch.setattr(git_history, "GIT_SECONDS", 0.5)
    assert fetch_history(clone, origin.first) == "no answer within 0.5 s"
    assert asked.read_text() == "x\n"
