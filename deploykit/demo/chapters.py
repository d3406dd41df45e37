"""The story as a table: what each chapter shows, what it does, how it has to end."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploykit.demo.changes import CHANGES, CRASH_WORDS
from deploykit.demo.commands import Commands, Ended
from deploykit.demo.repository import Repository
from deploykit.demo.site import Served, Site, short
from deploykit.model.release import typed

Heard = Callable[[str], None]
EARLY_SECONDS = 60.0  # a crash loop is called long before [rollout]'s deadline of 15 minutes
NOTHING_SECONDS = 3.0
_WRITES = ("RegisterTaskDefinition", "UpdateService", "CreateInvalidation", "PutImage")


@dataclass
class Scene:
    """Where the story plays; ``commits`` gets the SHA of each change as it is made."""

    commands: Commands
    repository: Repository
    site: Site
    faults_url: str
    commits: dict[str, str] = field(default_factory=dict)

    def commit(self, name: str) -> str:
        message, edits = CHANGES[name]
        self.commits[name] = self.repository.commit(message, edits)
        return self.commits[name]


@dataclass(frozen=True)
class Chapter:
    """One chapter. ``serves``: service → the change whose commit users get at its end."""

    name: str
    told: str
    act: Callable[[Scene, Heard], Ended]
    exit_code: int
    outcome: str
    serves: Mapping[str, str]
    also: Callable[[Scene, Mapping[str, Any]], list[str]] = lambda _scene, _document: []

    def unmet(self, scene: Scene, ended: Ended, served: Served) -> list[str]:
        """What ended otherwise than told; nothing where the chapter went as it should."""
        found = list(served.problems)
        if ended.code != self.exit_code:
            found.append(f"exit code {ended.code}, told was {self.exit_code}")
        outcome = ended.document.get("outcome")
        if outcome != self.outcome:
            found.append(f"outcome {outcome!r}, told was {self.outcome!r}")
        for service, version in served.versions.items():
            said = (ended.document.get("services") or {}).get(service) or {}
            if said.get("sha") != version:
                found.append(f"{service} serves {short(version)}, deploykit says {short(said.get('sha'))}")
            if service in self.serves and version != scene.commits[self.serves[service]]:
                wanted = scene.commits[self.serves[service]]
                found.append(f"{service} serves {short(version)}, told was {short(wanted)}")
        return found + self.also(scene, ended.document)


def _deploy(change: str) -> Callable[[Scene, Heard], Ended]:
    def act(scene: Scene, heard: Heard) -> Ended:
        scene.commit(change)
        return scene.commands.run("deploy", heard=heard)

    return act


def _deploy_past_a_stale_edge(scene: Scene, heard: Heard) -> Ended:
    scene.commit("news")
    _put_fault(scene.faults_url, {"edge": "keep"})  # the next invalidation completes and leaves the cache as it was
    return scene.commands.run("deploy", heard=heard)


def _roll_back(scene: Scene, heard: Heard) -> Ended:
    return scene.commands.run("rollback", "--reason", "wrong news", heard=heard)


def _deploy_what_runs(scene: Scene, heard: Heard) -> Ended:
    return scene.commands.run("deploy", "--sha", typed(scene.commits["second"]), heard=heard)


def _names_the_crash(_: Scene, document: Mapping[str, Any]) -> list[str]:
    findings = [f for f in document.get("findings") or [] if f["id"] == "program-crash" and f["subject"] == "api"]
    evidence = [line for finding in findings for line in finding["evidence"]]
    missing = [words for words in ("exit code 1", CRASH_WORDS) if not any(words in line for line in evidence)]
    found = [f"no finding shows {words!r}" for words in missing]
    if document["seconds"] > EARLY_SECONDS:
        found.append(f"stopped after {document['seconds']:.0f} s, told was within {EARLY_SECONDS:.0f}")
    return found


def _blames_the_endpoint(_: Scene, document: Mapping[str, Any]) -> list[str]:
    judged = ((document.get("checks") or {}).get("api-health") or {}).get("class")
    return [] if judged == "regression" else [f"api-health was judged {judged!r}, told was 'regression'"]


def _invalidated_twice(scene: Scene, document: Mapping[str, Any]) -> list[str]:
    found = []
    calls = _calls(document, "CreateInvalidation")
    if calls != 2:
        found.append(f"{calls} invalidations, told were two: the release's, and one for the stale edge")
    if "stale-edge" not in {finding["id"] for finding in document.get("findings") or []}:
        found.append("no finding says that an edge was stale")
    if _faults(scene.faults_url)["edge"] is not None:
        found.append("no invalidation was lost, so no edge was stale")
    return found


def _wrote_nothing(_: Scene, document: Mapping[str, Any]) -> list[str]:
    found = [f"called {name} {calls} times" for name in _WRITES if (calls := _calls(document, name))]
    if document["seconds"] > NOTHING_SECONDS:
        found.append(f"took {document['seconds']:.1f} s, told was under {NOTHING_SECONDS:.0f}")
    return found


def _calls(document: Mapping[str, Any], operation: str) -> int:
    made: Mapping[str, int] = document["api_calls"]["by_operation"]
    return sum(count for name, count in made.items() if name.endswith(f":{operation}"))


def _put_fault(url: str, fault: Mapping[str, Any]) -> None:
    body = json.dumps(fault).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, method="PUT"), timeout=10) as answer:  # noqa: S310 (http)
        answer.read()


def _faults(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (http, the sandbox's own address)
        found: dict[str, Any] = json.load(answer)
    return found


_SECOND = {"api": "second", "frontend": "second"}

CHAPTERS = (
    Chapter(
        "the first release",
        "Until now a placeholder runs. Build, push, roll out (the API first), invalidate, check: it is there.",
        _deploy("first"), 0, "deployed", {"api": "first", "frontend": "first"},
    ),
    Chapter(
        "the second one",
        "Both services change, while users keep asking. No request of theirs may fail.",
        _deploy("second"), 0, "deployed", _SECOND,
    ),
    Chapter(
        "a crash",
        "The new API ends at once: it wants a setting nobody has made. Stopped early, put back, the cause named.",
        _deploy("crash"), 10, "rolled_back", _SECOND, _names_the_crash,
    ),
    Chapter(
        "a wrong answer",
        "This one runs, and the load balancer is content, but /api/health says it is degraded. The checks see it.",
        _deploy("wrong"), 10, "rolled_back", _SECOND, _blames_the_endpoint,
    ),
    Chapter(
        "a stale edge",
        "A good release, but its invalidation is lost: the edge keeps the old pages. Found, and invalidated again.",
        _deploy_past_a_stale_edge, 0, "deployed", {"frontend": "news"}, _invalidated_twice,
    ),
    Chapter(
        "rollback by hand",
        "Healthy, and still not what is wanted. Back to the last release that was proven, caches and all.",
        _roll_back, 0, "rolled_back", _SECOND,
    ),
    Chapter(
        "nothing to do",
        "The commit that runs is deployed once more: no build, no push, no rollout, no invalidation.",
        _deploy_what_runs, 0, "unchanged", _SECOND, _wrote_nothing,
    ),
)  # fmt: skip
