"""Nothing withdrawn: what a rollback left is not released again, nor what contains it and was made before."""

from __future__ import annotations

import pytest

from tests.flow.history_kit import checkout, compare_api, listed, refused, shallow
from tests.flow.world import World

EARLY = "2026-11-21T06:00:00Z"  # when the simulator's clock begins: before every rollback
LATE = "2026-11-22T06:00:00Z"  # after every rollback


def withdrawn(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """``first`` runs; ``second``, which was released after it, is withdrawn. → the withdrawn commit, the rollback."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", EARLY)
    second = world.released("first", "second")[1]
    assert world.run("rollback", "--reason", "prices are wrong").code == 0
    return second, str(world.run("history").document["releases"][0]["id"])


def test_the_withdrawn_commit_itself_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second, rollback = withdrawn(world, monkeypatch)
    words = (f"commit {second[:7]} was withdrawn by", rollback, "prices are wrong", "--allow-withdrawn")
    assert refused(world.run("deploy"), *words)
    assert world.run("deploy", "--allow-withdrawn").code == 0
    assert world.run("deploy").document["outcome"] == "unchanged"  # it was released well since


def test_a_queued_merge_that_contains_it_is_refused_and_a_later_commit_passes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, rollback = withdrawn(world, monkeypatch)
    world.git("checkout", "-q", "-b", "feature", "HEAD~")
    (world.folder / "web" / "feature.txt").write_text("new")
    world.git("add", "-A")
    world.git("commit", "-qm", "feature")
    world.git("checkout", "-q", "main")
    world.git("merge", "-q", "--no-commit", "--no-ff", "feature")
    merge = world.commit("merge")
    contains = f"commit {merge[:7]} contains {second[:7]}, which was withdrawn by"
    assert contains in listed(world)
    words = (contains, rollback, "prices are wrong", "committed before that", "a later commit passes")
    assert refused(world.run("deploy"), *words, "--allow-withdrawn")
    monkeypatch.setenv("GIT_COMMITTER_DATE", LATE)
    world.commit("fix")
    assert world.run("plan").document["refusals"] == []
    assert world.run("deploy").code == 0


def test_a_queued_merge_passes_when_insisted_on_and_is_not_asked_about_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawn(world, monkeypatch)
    world.commit("merge")
    assert refused(world.run("deploy"), "contains")
    assert world.run("deploy", "--allow-withdrawn").code == 0
    assert world.run("deploy").document["outcome"] == "unchanged"


def test_a_queued_commit_of_another_branch_does_not_contain_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    withdrawn(world, monkeypatch)
    world.git("checkout", "-q", "-b", "other", "HEAD~")
    world.commit("other")
    assert world.run("deploy").code == 0


def test_what_was_released_well_since_is_withdrawn_no_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    withdrawn(world, monkeypatch)
    assert world.run("deploy", "--allow-withdrawn").code == 0
    world.commit("queued")
    assert world.run("deploy").code == 0


def test_uncommitted_changes_on_top_of_it_are_refused_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second, _ = withdrawn(world, monkeypatch)
    (world.folder / "api" / "half.txt").write_text("x")
    done = world.run("plan", "--allow-dirty")
    assert f"commit {second[:7]}-dirty contains {second[:7]}, which was withdrawn" in done.document["refusals"][0]


def test_the_time_of_a_rollback_is_told_by_its_id_where_its_entry_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, rollback = withdrawn(world, monkeypatch)
    objects = world.sim.s3.buckets["shop-state"]
    for name in [name for name in objects if rollback in name]:
        del objects[name]
    queued = world.commit("queued")
    contains = f"commit {queued[:7]} contains {second[:7]}, which was withdrawn with rollback {rollback}"
    assert refused(world.run("deploy"), contains)


def test_a_shallow_clone_is_completed_to_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second, _ = withdrawn(world, monkeypatch)
    queued = world.commit("queued")
    assert refused(
        checkout(world, monkeypatch).run("deploy"), f"commit {queued[:7]} contains {second[:7]}, which was withdrawn"
    )


def test_a_shallow_clone_asks_github_to_tell(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    second, _ = withdrawn(world, monkeypatch)
    queued = world.commit("queued")
    ci = checkout(world, monkeypatch)
    with compare_api(ci, 200, {"status": "ahead"}) as asked:
        assert refused(ci.run("deploy"), f"commit {queued[:7]} contains {second[:7]}, which was withdrawn")
    assert asked[-1][0] == f"/repos/ann/shop/compare/{second}...{queued}"
    assert shallow(ci)


def test_where_a_shallow_clone_cannot_tell_only_what_is_older_than_the_rollback_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    second, _ = withdrawn(world, monkeypatch)
    queued = world.commit("queued")
    world.git("branch", "queued")
    monkeypatch.setenv("GIT_COMMITTER_DATE", LATE)
    world.commit("fix")
    ci = checkout(world, monkeypatch, "queued")
    ci.git("remote", "remove", "origin")
    words = (
        f"commit {queued[:7]} may contain {second[:7]}",
        "too little history",
        "fetch-depth: 0",
        "--allow-withdrawn",
    )
    assert refused(ci.run("deploy", "--allow-older"), *words)
    assert ci.run("deploy", "--allow-older", "--allow-withdrawn").code == 0
    fixed = checkout(world, monkeypatch, "main")
    fixed.git("remote", "remove", "origin")
    assert fixed.run("deploy", "--allow-older").code == 0


def test_a_rollback_is_never_refused_by_history(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", EARLY)
    world.released("first", "second", "third")
    ci = checkout(world, monkeypatch)
    ci.git("remote", "remove", "origin")
    assert ci.run("rollback").code == 0
    assert ci.run("rollback").code == 0
    done = ci.run("rollback", "--to", world.git("rev-parse", "HEAD"))
    assert (done.code, done.document["outcome"]) == (0, "rolled_back")
