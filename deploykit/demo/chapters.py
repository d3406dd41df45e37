"""The story as a table: what each chapter shows, what it does and how it must end."""

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
EARLY_SECONDS = 60.0  # a crash loop is reported long before [rollout]'s deadline of 15 minutes
NOTHING_SECONDS = 3.0
_WRITES = ("RegisterTaskDefinition", "UpdateService", "CreateInvalidation", "PutImage")


@dataclass
class Scene:
    """What a chapter acts on; ``commits``: name of each change so far → its SHA."""

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
    """One chapter. ``ends``: exit code and outcome; ``serves``: service → the change that users get afterwards."""

    name: str
    told: str
    act: Callable[[Scene, Heard], Ended]
    ends: tuple[int, str]
    serves: Mapping[str, str]
    also: Callable[[Scene, Mapping[str, Any]], list[str]] = lambda _scene, _document: []

    def unmet(self, scene: Scene, ended: Ended, served: Served) -> list[str]:
        """Where the end differs from the chapter's story; empty when it does not."""
        found = list(served.problems)
        code, outcome = self.ends
        if ended.code != code:
            found.append(f"exit code {ended.code}, expected {code}")
        if (said := ended.document.get("outcome")) != outcome:
            found.append(f"outcome {said!r}, expected {outcome!r}")
        for service, version in served.versions.items():
            sha = ((ended.document.get("services") or {}).get(service) or {}).get("sha")
            if sha != version:
                found.append(f"{service} serves {short(version)}, deploykit says {short(sha)}")
            if service in self.serves and version != scene.commits[self.serves[service]]:
                wanted = scene.commits[self.serves[service]]
                found.append(f"{service} serves {short(version)}, expected {short(wanted)}")
        return found + self.also(scene, ended.document)


def _deploy(change: str) -> Callable[[Scene, Heard], Ended]:
    def act(scene: Scene, heard: Heard) -> Ended:
        scene.commit(change)
        return scene.commands.run("deploy", heard=heard)

    return act


def _deploy_past_a_stale_edge(scene: Scene, heard: Heard) -> Ended:
    scene.commit("news")
    _faults(scene.faults_url, {"edge": "keep"})  # the next invalidation completes without effect
    return scene.commands.run("deploy", heard=heard)


def _names_the_crash(_: Scene, document: Mapping[str, Any]) -> list[str]:
    findings = [f for f in document.get("findings") or [] if f["id"] == "program-crash" and f["subject"] == "api"]
    evidence = [line for finding in findings for line in finding["evidence"]]
    missing = [words for words in ("exit code 1", CRASH_WORDS) if not any(words in line for line in evidence)]
    found = [f"no finding shows {words!r}" for words in missing]
    if document["seconds"] > EARLY_SECONDS:
        found.append(f"stopped after {document['seconds']:.0f} s, expected within {EARLY_SECONDS:.0f}")
    return found


def _blames_the_endpoint(_: Scene, document: Mapping[str, Any]) -> list[str]:
    judged = ((document.get("checks") or {}).get("api-health") or {}).get("class")
    return [] if judged == "regression" else [f"api-health was judged {judged!r}, expected 'regression'"]


def _invalidated_twice(scene: Scene, document: Mapping[str, Any]) -> list[str]:
    found = []
    calls = _calls(document, "CreateInvalidation")
    if calls != 2:
        found.append(f"{calls} invalidations, expected two: the release's, and one for the stale edge")
    if "stale-edge" not in {finding["id"] for finding in document.get("findings") or []}:
        found.append("no finding reports a stale edge")
    if _faults(scene.faults_url)["edge"] is not None:
        found.append("no invalidation was lost, so the edge was never stale")
    return found


def _wrote_nothing(_: Scene, document: Mapping[str, Any]) -> list[str]:
    found = [f"called {name} {calls} times" for name in _WRITES if (calls := _calls(document, name))]
    if document["seconds"] > NOTHING_SECONDS:
        found.append(f"took {document['seconds']:.1f} s, expected under {NOTHING_SECONDS:.0f}")
    return found


def _calls(document: Mapping[str, Any], operation: str) -> int:
    made: Mapping[str, int] = document["api_calls"]["by_operation"]
    return sum(count for name, count in made.items() if name.endswith(f":{operation}"))


def _faults(url: str, fault: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Inject ``fault`` into the sandbox if one is given; return the faults still to come."""
    body, method = (json.dumps(fault).encode(), "PUT") if fault else (None, "GET")
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 (http, the sandbox's own address)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 (as above)
        found: dict[str, Any] = json.load(answer)
    return found


_SECOND = {"api": "second", "frontend": "second"}
DEPLOYED = (0, "deployed")
UNDONE = (10, "rolled_back")

CHAPTERS = (
    Chapter(
        "the first release",
        "A placeholder runs until now. deploykit builds, pushes, rolls out (the API first), invalidates and checks.",
        _deploy("first"),
        DEPLOYED,
        {"api": "first", "frontend": "first"},
    ),
    Chapter(
        "the second one",
        "Both services change under load. No user request may fail.",
        _deploy("second"),
        DEPLOYED,
        _SECOND,
    ),
    Chapter(
        "a crash",
        "The new API exits at once: a setting is missing. deploykit stops early, rolls back and says why.",
        _deploy("crash"),
        UNDONE,
        _SECOND,
        _names_the_crash,
    ),
    Chapter(
        "a wrong answer",
        "This one passes the load balancer's health check, but /api/health says it is degraded. The checks catch it.",
        _deploy("wrong"),
        UNDONE,
        _SECOND,
        _blames_the_endpoint,
    ),
    Chapter(
        "a stale edge",
        "A good release, but its invalidation is lost, and old pages remain. deploykit notices and invalidates again.",
        _deploy_past_a_stale_edge,
        DEPLOYED,
        {"frontend": "news"},
        _invalidated_twice,
    ),
    Chapter(
        "rollback by hand",
        "Healthy, but not wanted. deploykit rolls back to the last verified release, and users see its pages again.",
        lambda scene, heard: scene.commands.run("rollback", "--reason", "wrong news", heard=heard),
        (0, "rolled_back"),
        _SECOND,
    ),
    Chapter(
        "nothing to do",
        "The running commit is deployed once more: no build, no push, no rollout, no invalidation.",
        lambda scene, heard: scene.commands.run("deploy", "--sha", typed(scene.commits["second"]), heard=heard),
        (0, "unchanged"),
        _SECOND,
        _wrote_nothing,
    ),
)
