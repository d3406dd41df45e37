"""Never backwards: an older, a diverged or an unknown commit is refused, in complete clones and in shallow ones."""

from __future__ import annotations

import json

import pytest

from tests.flow.history_kit import TOKEN, branched, checkout, compare_api, listed, publish, refused, shallow
from tests.flow.world import World


def test_an_older_commit_is_refused_and_released_when_insisted_on(world: World) -> None:
    first, second = world.released("first", "second")
    plan = listed(world, "--sha", first)
    assert f"commit {first[:7]} is older than the running {second[:7]}" in plan
    words = (first[:7], second[:7], "is older", "`deploykit rollback` goes back", "--allow-older")
    assert refused(world.run("deploy", "--sha", first), *words)
    assert refused(world.run("rollout", "--sha", first), "is older")
    assert world.run("deploy", "--sha", first, "--allow-older").code == 0


def test_a_diverged_commit_is_refused_and_released_when_insisted_on(world: World) -> None:
    ours, theirs = branched(world)
    assert world.run("deploy", "--sha", theirs).code == 0
    assert "diverged" in listed(world)
    words = (ours[:7], theirs[:7], "diverged", "`deploykit rollback` goes back", "--allow-older")
    assert refused(world.run("deploy"), *words)
    assert world.run("deploy", "--allow-older").code == 0


def test_each_chosen_service_counts_and_no_other(world: World) -> None:
    ours, theirs = branched(world)
    assert world.run("deploy", "api", "--sha", theirs).code == 0
    assert world.run("deploy", "web").code == 0
    assert refused(world.run("deploy"), ours[:7], theirs[:7], "diverged")
    assert refused(world.run("deploy", "--sha", theirs), ours[:7], theirs[:7], "diverged")
    world.git("merge", "-q", "--no-commit", "-s", "ours", theirs)
    world.commit("merged")
    assert world.run("deploy").code == 0


def test_history_any_lifts_the_rule(world: World) -> None:
    first, _ = world.released("first", "second")
    config = world.folder / "deploykit.toml"
    config.write_text(config.read_text().replace('cluster = "dev"\n', 'cluster = "dev"\nhistory = "any"\n', 1))
    assert world.run("deploy", "--sha", first).code == 0


def test_a_running_commit_that_nobody_has_is_refused_not_warned_of(world: World) -> None:
    lost = world.released("first", "lost")[1]
    world.git("reset", "-q", "--hard", "HEAD~")
    second = world.commit("second")
    world.git("reflog", "expire", "--expire=now", "--all")
    world.git("gc", "-q", "--prune=now")
    assert "too little history" in listed(world)
    words = (second[:7], lost[:7], "too little history", "git fetch --all", "--allow-older")
    assert refused(world.run("deploy"), *words)
    publish(world)
    assert refused(world.run("deploy"), "fetching history from origin", "could not be fetched", "too little history")
    assert world.run("deploy", "--allow-older").code == 0


# -- in a shallow clone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "word"),
    [("ahead", 0, ""), ("identical", 0, ""), ("behind", 4, "is older than"), ("diverged", 4, "diverged")],
)
def test_a_shallow_clone_asks_github_once_and_fetches_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, word: str
) -> None:
    (first,) = world.released("first")
    second = world.commit("second")
    ci = checkout(world, monkeypatch)
    with compare_api(ci, 200, {"status": answer}) as asked:
        done = ci.run("deploy")
    assert (done.code, [path for path, _ in asked]) == (code, [f"/repos/ann/shop/compare/{first}...{second}"]), (
        done.people
    )
    assert word in done.people
    assert shallow(ci)
    assert TOKEN not in done.people + json.dumps(done.document)


def test_where_github_has_no_answer_history_is_fetched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.released("first")
    world.commit("second")
    ci = checkout(world, monkeypatch)
    before = ci.git("for-each-ref")
    with compare_api(ci, 404, {"message": "Not Found"}) as asked:
        done = ci.run("deploy")
    assert (done.code, len(asked)) == (0, 1), done.people
    assert "fetching history from origin" in done.people
    assert (shallow(ci), ci.git("for-each-ref")) == (False, before)
    assert not (ci.folder / ".git" / "FETCH_HEAD").exists()


def test_a_shallow_clone_without_github_fetches_the_other_branch_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = branched(world)
    assert world.run("deploy", "--sha", theirs).code == 0
    ci = checkout(world, monkeypatch, "ours")
    assert refused(ci.run("deploy"), ours[:7], theirs[:7], "diverged")


def test_an_older_commit_is_refused_in_a_shallow_clone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.released("first", "second")
    world.git("branch", "release", first)
    ci = checkout(world, monkeypatch, "release")
    assert refused(ci.run("deploy"), f"commit {first[:7]} is older than the running {second[:7]}")


@pytest.mark.parametrize("origin", ["gone", "none"])
def test_a_shallow_clone_that_can_ask_nobody_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    (first,) = world.released("first")
    second = world.commit("second")
    ci = checkout(world, monkeypatch)
    if origin == "gone":
        ci.git("remote", "set-url", "origin", f"file://{world.folder.parent}/gone.git")
    else:
        ci.git("remote", "remove", "origin")
    assert "too little history" in listed(ci)
    words = (first[:7], second[:7], "git fetch --unshallow", "fetch-depth: 0", "--allow-older")
    assert refused(ci.run("deploy"), *words)
    assert ci.run("deploy", "--allow-older").code == 0
