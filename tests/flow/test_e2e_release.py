"""Releases into the sandbox that meet what releases meet: lost invalidations, signals, a ledger out of reach."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.e2e import Ended, Project, denied, project

pytestmark = pytest.mark.sandbox
HOST = "harbour.example.net"
BUCKET = ("s3:ListObjectsV2", "s3:GetObject", "s3:PutObject")

CONFIGURATION = """
[project]
name = "quay"
region = "us-west-2"

[environments.live]
account = "444455556666"
cluster = "quay"
url = "https://harbour.example.net"
state = "s3://quay-deploykit/{env}"

[services.berths]
context = "berths"
repository = "quay/berths"
service = "berths"
release_env = "RELEASE"
build_args = { BASE = "{base}" }

[services.board]
context = "board"
repository = "quay/board"
service = "board"
release_env = "RELEASE"
build_args = { BASE = "{base}" }
depends_on = ["berths"]

[cdn.board]
distribution = "E3QUAYBOARD"
after = ["board"]

[checks]
interval = "500ms"
samples = 9

[[checks.endpoints]]
id = "berths"
path = "/berths/status"
service = "berths"
expect = { json = { state = "fine" } }
version = { json = "release" }

[[checks.endpoints]]
id = "board"
path = "/"
service = "board"
version = { header = "x-release" }

[local.services.berths]
port = 9300
routes = ["/berths/*"]
health_check = "/berths/alive"

[local.services.board]
port = 9400
health_check = "/alive"
count = 2
"""

DOCUMENTS = {
    "deploy": {"outcome", "release", "services", "checks", "findings", "way_back", "steps"},
    "status": {"release", "services", "lease", "hold", "drift", "way_back"},
    "history": {"releases"},
    "check": {"healthy", "endpoints"},
    "sandbox status": {
        "running", "endpoint_url", "url", "connect_to", "load_balancer", "registry", "services",
    },
}  # fmt: skip
ENVELOPE = {"schema", "command", "environment", "exit_code", "seconds", "api_calls"}
PARTS = {
    ("deploy", "release"): {"id", "sha", "previous_sha", "verdict"},
    ("deploy", "services"): {"sha", "image", "digest", "task_definition", "previous_task_definition", "changed"},
    ("deploy", "checks"): {"class", "before", "after"},
    ("deploy", "steps"): {"name", "status", "seconds"},
    ("status", "release"): {"id", "sha", "verdict"},
    ("status", "services"): {
        "sha", "image", "digest", "task_definition", "desired", "running", "rollout", "since", "by",
    },
    ("history", "releases"): {"id", "kind", "sha", "verdict", "outcome", "started", "seconds", "by", "reason"},
    ("check", "endpoints"): {"id", "ok", "severity", "status", "latency_ms", "failures", "version"},
}  # fmt: skip


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("quay"), CONFIGURATION, ("berths", "board")) as made:
        yield made


@pytest.fixture(scope="module")
def first(sandboxed: Project) -> Ended:
    """The first release, which every test may rely on."""
    done = sandboxed.run("deploy")
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    return done


@pytest.fixture
def quay(sandboxed: Project, first: Ended) -> Iterator[Project]:
    """The platform with one release on it at least, and no fault left of another test."""
    sandboxed.forget_calls()
    yield sandboxed
    sandboxed.fault()


def _served(quay: Project) -> tuple[str, str]:
    """The commits users get, through the edge."""
    return str(quay.ask("/berths/status", host=HOST).json()["release"]), quay.ask("/", host=HOST).headers["x-release"]


def _deployed(done: Ended, sha: str) -> str:
    """Assert that ``sha`` was released and is healthy; the release's id."""
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    assert (done.document["release"]["sha"], done.document["release"]["verdict"]) == (sha, "healthy")
    return str(done.document["release"]["id"])


def test_nothing_changed_calls_nothing_that_changes(quay: Project) -> None:
    sha = quay.run("status").document["release"]["sha"]
    quay.forget_calls()
    done = quay.run("deploy", "--sha", sha)
    assert (done.code, done.document["outcome"]) == (0, "unchanged"), done.people
    assert set(done.steps().values()) == {"skipped"}
    assert quay.changes() == []
    assert "ecr:GetAuthorizationToken" not in quay.calls()  # no push either
    assert not any(service["changed"] for service in done.document["services"].values())


def test_a_stale_edge_is_found_and_invalidated_again(quay: Project) -> None:
    quay.ask("/", host=HOST)
    sha = quay.commit("A board that the edge does not see at once", board="well")
    quay.fault(edge="keep")
    done = quay.run("deploy", "board")
    _deployed(done, sha)
    assert quay.calls().count("cloudfront:CreateInvalidation") == 2
    assert done.document["api_calls"]["by_operation"]["cloudfront:CreateInvalidation"] == 2
    assert [step["name"] for step in done.document["steps"]].count("invalidate") == 2
    assert quay.ask("/", host=HOST).headers["x-release"] == sha
    assert quay.ask("/", host=HOST).headers["x-cache"] == "Hit from cloudfront"


def test_an_interrupted_rollout_says_what_it_leaves_and_the_next_deploy_goes_on_in_its_entry(quay: Project) -> None:
    before = quay.run("status").document["release"]["sha"]
    sha = quay.commit("Berths that are interrupted", berths="well", board="well")
    for number in (signal.SIGINT, signal.SIGTERM):
        with quay.start("deploy") as under_way:
            under_way.hears("rolling out berths:" if number == signal.SIGINT else "rolling out board:")
            ended = under_way.end(number)
        assert (ended.code, ended.document["exit_code"], ended.document["outcome"]) == (130, 130, "interrupted")
        last = ended.people.splitlines()[-1]
        assert last.startswith("error: interrupted; ")
        assert "`deploykit deploy` continues" in last
        left = {"berths is on its way to ", "board untouched"}
        left = left if number == signal.SIGINT else {"berths runs ", "board is on its way to "}
        assert all(words in last for words in left), last
        assert quay.run("history").document["releases"][0]["outcome"] == "interrupted"
    begun = quay.run("history").document["releases"][0]
    done = quay.run("deploy")
    assert _deployed(done, sha) == begun["id"]
    assert done.document["release"]["previous_sha"] == before
    releases = quay.run("history").document["releases"]
    assert [each["sha"] for each in releases].count(sha) == 1
    assert (releases[0]["id"], releases[0]["outcome"]) == (begun["id"], "deployed")
    assert _served(quay) == (sha, sha)
    assert quay.calls().count("ecs:UpdateService") == 2  # one for each service, in three runs


def test_a_killed_rollout_goes_on_too_and_can_still_be_put_back(quay: Project) -> None:
    before = _served(quay)
    running = {key: s["task_definition"] for key, s in quay.run("status").document["services"].items()}
    sha = quay.commit("Berths that are wrong", berths="ill", board="well")
    with quay.start("deploy") as under_way:
        under_way.hears("rolling out board:")
        assert under_way.end(signal.SIGKILL).code == -signal.SIGKILL
    assert quay.run("status").document["release"] | {"id": None} == {"id": None, "sha": sha, "verdict": None}
    begun = quay.run("history").document["releases"][0]
    done = quay.run("deploy")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back"), done.people
    assert done.document["release"]["id"] == begun["id"]
    assert done.document["checks"]["berths"]["class"] == "regression"  # against the baseline of the killed run
    assert _served(quay) == before
    assert {key: s["task_definition"] for key, s in quay.run("status").document["services"].items()} == running


def test_errors_that_the_edge_keeps_for_a_while_do_not_spoil_the_way_back(quay: Project) -> None:
    before = _served(quay)
    quay.commit("Berths that fail, behind a CDN that is not emptied for them", berths="fail", board="well")
    done = quay.run("deploy", "berths")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back"), done.people
    assert done.document["checks"]["berths"]["class"] == "regression"
    assert "a CDN cache still serves an error from before the release" in done.people
    assert _served(quay) == before


def test_a_rollback_needs_no_ledger(quay: Project) -> None:
    before = _served(quay)
    sha = quay.commit("What nobody wants", berths="well", board="well")
    _deployed(quay.run("deploy"), sha)
    quay.fault(*denied(*BUCKET))
    quay.forget_calls()
    done = quay.run("rollback", "--reason", "nobody wants it")
    assert (done.code, done.document["outcome"]) == (0, "rolled_back"), done.people
    assert done.document["release"]["previous_sha"] == sha
    assert "s3:ListBucket" in done.people
    assert _served(quay) == before
    assert "ecs:RegisterTaskDefinition" not in quay.calls()  # the very revisions of before


def test_an_image_that_is_there_is_used_as_it_is_and_a_missing_permission_is_named(quay: Project) -> None:
    sha = quay.commit("Pushed before it is deployed", berths="well")
    pushed = quay.run("build", "berths"), quay.run("push", "berths")
    assert [done.code for done in pushed] == [0, 0], pushed[1].people
    quay.fault({"operation": "ecs:RegisterTaskDefinition", "code": "AccessDeniedException", "times": 99})
    before = _served(quay)
    refused = quay.run("deploy", "berths")
    assert refused.code == 3, refused.people
    assert "ecs:RegisterTaskDefinition" in refused.document["error"]["message"] + refused.document["error"]["hint"]
    assert _served(quay) == before
    quay.fault()
    again = quay.run("push", "berths")  # the repository is immutable: the tag stays what it is
    assert again.code == 0, again.people
    done = quay.run("deploy", "berths")
    _deployed(done, sha)
    assert done.steps() | {"x": ""} == {
        "build": "skipped", "push": "skipped", "baseline": "done", "rollout": "done", "invalidate": "skipped",
        "check": "done", "x": "",
    }  # fmt: skip
    assert _served(quay)[0] == sha


def test_only_what_is_committed_ships_unless_asked_otherwise(quay: Project) -> None:
    quay.write({"berths/half.txt": "half finished", "berths/keys.local": "ignored"})
    refused = quay.run("deploy", "berths")
    assert (refused.code, refused.document["outcome"]) == (4, "refused")
    assert "berths/half.txt" in refused.document["error"]["message"]
    assert "keys.local" not in refused.document["error"]["message"]
    assert quay.changes() == []

    dirty = quay.run("deploy", "berths", "--allow-dirty")
    assert dirty.code == 0, dirty.people
    assert "-dirty-" in dirty.document["release"]["sha"]
    files = quay.ask("/berths/files", host=HOST).json()
    assert files["half.txt"] == "half finished"

    Path(quay.folder / "berths/half.txt").unlink()
    sha = quay.commit("Clean again", berths="well")
    _deployed(quay.run("deploy", "berths"), sha)
    files = quay.ask("/berths/files", host=HOST).json()
    assert set(files) == {"app.py", "Dockerfile", "turn.json"}
    Path(quay.folder / "berths/keys.local").unlink()


def test_every_document_has_the_keys_that_callers_rely_on(quay: Project, first: Ended) -> None:
    found = {name: first.document if name == "deploy" else quay.run(*name.split()).document for name in DOCUMENTS}
    for name, keys in DOCUMENTS.items():
        assert set(found[name]) >= ENVELOPE | keys, name
        assert (found[name]["schema"], found[name]["command"], found[name]["environment"]) == (1, name, "live")
        assert found[name]["api_calls"]["total"] == sum(found[name]["api_calls"]["by_operation"].values())
        assert isinstance(found[name]["seconds"], float)
    for (name, part), keys in PARTS.items():
        value = found[name][part]
        several = value if isinstance(value, list) else list(value.values()) if part != "release" else [value]
        assert several, (name, part)
        for each in several:
            assert set(each) >= keys, (name, part)
    assert set(found["deploy"]["checks"]["board"]["after"]) == {"samples", "failed", "failures"}
    logs = quay.run("logs", "berths", "--since", "1h").document
    assert set(logs) >= ENVELOPE | {"lines"}
    assert any(line["text"].startswith("on watch with ") for line in logs["lines"])
