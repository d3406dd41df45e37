"""`check` as somebody on call reads it."""

from __future__ import annotations

import pytest

from tests.flow.world import World

WARNED = """
[[checks.endpoints]]
id = "extra"
path = "/extra"
service = "web"
severity = "warn"
expect = { status = 418 }
"""


def released(world: World) -> None:
    world.commit("first")
    assert world.run("deploy").code == 0


def test_a_machine_without_a_name_service_is_not_told_that_its_endpoints_are_down(world: World) -> None:
    released(world)
    world.environ["DEPLOYKIT_URL"] = "http://nowhere.invalid"
    done = world.run("check")
    assert (done.code, done.document["healthy"]) == (12, None)
    assert " down: " not in done.people
    assert "not reached from here" in done.people
    assert done.people.rstrip().endswith("check: could not be judged: " + done.document["reason"])


@pytest.mark.parametrize("argv", [("check",), ("check", "--rounds", "2")])
def test_a_broken_warning_is_never_counted_as_answering(world: World, argv: tuple[str, ...]) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text() + WARNED)
    released(world)
    done = world.run(*argv)
    assert (done.code, done.document["healthy"]) == (0, True)
    assert done.document["reason"].startswith("2 endpoints answer as expected; only a warning: extra (")


def test_rounds_over_warnings_alone_claim_no_proof(world: World) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text() + WARNED)
    released(world)
    done = world.run("check", "extra", "--rounds", "1")
    assert done.code == 0
    assert "nothing to prove after 1 round: every endpoint is only a warning" in done.people
    assert done.document["reason"].startswith("only a warning: extra (")


@pytest.mark.parametrize(
    "argv", [("check",), ("status",), ("history",), ("deploy",), ("plan",), ("push",), ("build",), ("invalidate",)]
)
def test_a_document_of_an_error_has_every_key_of_the_one_without(world: World, argv: tuple[str, ...]) -> None:
    released(world)
    good = world.run(*argv)
    assert good.code == 0
    bad = world.run(*argv, "--config", "nowhere.toml")
    assert bad.code == 2
    assert good.document.keys() | {"error"} == bad.document.keys()


def test_a_refused_connection_is_an_endpoint_that_is_down(world: World) -> None:
    released(world)
    world.environ["DEPLOYKIT_URL"] = "http://127.0.0.1:1"
    done = world.run("check")
    assert (done.code, done.document["healthy"]) == (11, False)
    assert "down: connection refused" in done.people


def test_a_release_without_endpoints_says_that_none_is_configured(world: World) -> None:
    path = world.folder / "deploykit.toml"
    path.write_text(path.read_text().partition("[[checks.endpoints]]")[0])
    world.commit("first")
    done = world.run("deploy")
    assert (done.code, done.document["release"]["verdict"]) == (0, "unchecked")
    assert "no endpoint is configured" in done.people
    assert "only a warning" not in done.people
