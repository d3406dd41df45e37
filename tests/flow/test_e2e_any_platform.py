"""A platform that the sandbox and deploykit know nothing of goes the whole way, by published commands alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flow.e2e import Project, project

pytestmark = pytest.mark.sandbox
HOST = "tides.example.org"

#: Two path rules and nothing for the rest, a worker without a port, no database, no CDN, the ledger in a folder.
CONFIGURATION = """
[project]
name = "tideline"
region = "eu-north-1"

[environments.preview]
account = "777788889999"
cluster = "tide-{env}"
url = "https://tides.example.org"
state = "ledger"

[services.gauge]
context = "gauge"
repository = "tide/gauge"
service = "{env}-gauge"
container = "reader"
release_env = "RELEASE"
build_args = { BASE = "{base}" }

[services.chart]
context = "chart"
repository = "tide/chart"
service = "{env}-chart"
release_env = "RELEASE"
build_args = { BASE = "{base}" }
depends_on = ["gauge"]

[services.herald]
context = "herald"
repository = "tide/herald"
service = "{env}-herald"
release_env = "RELEASE"
build_args = { BASE = "{base}" }

[checks]
interval = "500ms"
samples = 9

[[checks.endpoints]]
id = "gauge"
path = "/gauge/status"
service = "gauge"
expect = { json = { state = "fine" } }
version = { json = "release" }

[[checks.endpoints]]
id = "chart"
path = "/chart/status"
service = "chart"
expect = { json = { state = "fine" } }
version = { header = "x-release" }

[local.services.gauge]
port = 9100
routes = ["/gauge/*", "/levels"]
health_check = "/gauge/alive"
count = 2

[local.services.chart]
port = 9200
routes = ["/chart/*"]
health_check = "/chart/alive"
"""


@pytest.fixture(scope="module")
def tides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with project(tmp_path_factory.mktemp("tides"), CONFIGURATION, ("gauge", "chart", "herald")) as made:
        yield made


def _served(tides: Project, gauge: str, chart: str) -> None:
    """The commits that users get from both rules, and nothing where no rule is."""
    assert tides.ask("/gauge/status", host=HOST).json() == {"state": "fine", "release": gauge}
    assert tides.ask("/levels", host=HOST).headers["x-release"] == gauge
    assert tides.ask("/chart/status", host=HOST).json() == {"state": "fine", "release": chart}
    assert tides.ask("/elsewhere", host=HOST).status == 404


def _runs(tides: Project, **commits: str) -> None:
    """What ``status`` says that runs, each as often as desired."""
    services = tides.run("status").document["services"]
    assert {key: service["sha"] for key, service in services.items()} == commits
    assert {key: (s["running"], s["desired"]) for key, s in services.items()} == {
        "gauge": (2, 2), "chart": (1, 1), "herald": (1, 1),
    }  # fmt: skip


def test_a_platform_of_ones_own_goes_through_releases_a_crash_a_wrong_answer_and_a_rollback(tides: Project) -> None:
    first = _first_release(tides)
    second = _second_release(tides, first)
    crashed = _crash(tides, first, second)
    ill = _wrong_answer(tides, first, second)
    _rollback_by_hand(tides, first, second)
    _nothing_to_do(tides, first, second)
    history = tides.run("history").document["releases"]
    assert history[3]["withdrawn"] == history[0]["id"]  # the rollback left it
    assert [(each["kind"], each["sha"], each["verdict"], each["outcome"]) for each in history] == [
        ("rollback", first, "healthy", "rolled_back"),
        ("deploy", ill, "unhealthy", "rolled_back"),
        ("deploy", crashed, "unhealthy", "rolled_back"),
        ("deploy", second, "healthy", "deployed"),
        ("deploy", first, "healthy", "deployed"),
    ]


def _first_release(tides: Project) -> str:
    assert "placeholder" in tides.ask("/gauge/status", host=HOST).body
    done = tides.run("deploy")
    sha = str(done.document["release"]["sha"])
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    assert done.document["release"]["verdict"] == "healthy"
    assert all(service["changed"] for service in done.document["services"].values())
    assert {check["class"] for check in done.document["checks"].values()} == {"fixed"}
    _served(tides, sha, sha)
    _runs(tides, gauge=sha, chart=sha, herald=sha)
    assert f"on watch with {sha}" in [line["text"] for line in tides.run("logs", "herald").document["lines"]]
    return sha


def _second_release(tides: Project, first: str) -> str:
    sha = tides.commit("A new chart, and the herald knows it", chart="well", herald="well")
    done = tides.run("deploy")
    assert (done.code, done.document["outcome"]) == (0, "deployed"), done.people
    changed = {key: service["changed"] for key, service in done.document["services"].items()}
    assert changed == {"gauge": False, "chart": True, "herald": True}
    _served(tides, first, sha)
    _runs(tides, gauge=first, chart=sha, herald=sha)
    return sha


def _crash(tides: Project, first: str, second: str) -> str:
    sha = tides.commit("A herald that does not start", herald="crash")
    done = tides.run("deploy")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back"), done.people
    finding = done.finding("program-crash")
    assert (finding["subject"], finding["severity"]) == ("herald", "error")
    evidence = "\n".join(finding["evidence"])
    assert "exit code 41" in evidence
    assert "no tide table for this harbour" in evidence
    assert done.document["seconds"] < 120  # [rollout]'s own deadline is 15 minutes
    _served(tides, first, second)
    _runs(tides, gauge=first, chart=second, herald=second)
    return sha


def _wrong_answer(tides: Project, first: str, second: str) -> str:
    sha = tides.commit("A herald that starts again, and a gauge that is wrong", herald="well", gauge="ill")
    done = tides.run("deploy")
    assert (done.code, done.document["outcome"]) == (10, "rolled_back"), done.people
    assert done.document["release"] | {"id": None} == {
        "id": None, "sha": sha, "previous_sha": second, "verdict": "unhealthy",
    }  # fmt: skip
    assert {key: check["class"] for key, check in done.document["checks"].items()} == {
        "gauge": "regression", "chart": "ok",
    }  # fmt: skip
    assert done.steps() | {"build": ""} == {
        "build": "", "push": "done", "baseline": "done", "rollout": "undone", "invalidate": "skipped",
        "check": "failed", "undo": "done",
    }  # fmt: skip
    _served(tides, first, second)
    _runs(tides, gauge=first, chart=second, herald=second)
    return sha


def _rollback_by_hand(tides: Project, first: str, second: str) -> None:
    done = tides.run("rollback", "--reason", "the chart shows another sea")
    assert (done.code, done.document["outcome"]) == (0, "rolled_back"), done.people
    assert (done.document["release"]["sha"], done.document["release"]["previous_sha"]) == (first, second)
    _served(tides, first, first)
    _runs(tides, gauge=first, chart=first, herald=first)
    assert tides.run("history").document["releases"][0]["reason"] == "the chart shows another sea"


def _nothing_to_do(tides: Project, first: str, withdrawn: str) -> None:
    tides.forget_calls()
    done = tides.run("deploy", "--sha", first)
    assert (done.code, done.document["outcome"]) == (0, "unchanged"), done.people
    refused = tides.run("deploy", "--sha", withdrawn)
    assert (refused.code, refused.document["outcome"]) == (4, "refused")
    assert "the chart shows another sea" in refused.document["error"]["message"]
    assert tides.changes() == []
    check = tides.run("check")
    assert (check.code, check.document["healthy"]) == (0, True)
    assert {each["version"] for each in check.document["endpoints"]} == {first}
