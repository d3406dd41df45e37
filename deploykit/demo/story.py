"""Tell the story: announce, run, time and check each chapter."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploykit.demo.chapters import CHAPTERS, Chapter, Scene
from deploykit.demo.commands import Ended
from deploykit.demo.site import HEALTH_PATHS, PATHS, Served, short
from deploykit.demo.stage import how_to_look, set_up
from deploykit.demo.traffic import Count, Traffic
from deploykit.errors import ExitCode
from deploykit.model.progress import Progress

LEAST_RATE = 20.0  # requests a second


@dataclass(frozen=True)
class Played:
    """One chapter as it went. ``problems``: where its end differs from the story."""

    chapter: Chapter
    ended: Ended
    served: Served
    count: Count
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """The whole story: ``exit_code`` 0 when every chapter ended as expected, else 1."""

    exit_code: int
    document: Mapping[str, Any]


def tell(progress: Progress, *, keep: bool = False) -> Told:
    """Run all chapters in a sandbox of their own, and remove it afterwards unless ``keep``.

    Raises OutOfReach or FailedBefore when the sandbox does not start.
    """
    began = time.monotonic()
    progress.step("the stage")
    with set_up(progress) as stage:
        traffic = Traffic(stage.load_balancer)
        try:
            traffic.ask(HEALTH_PATHS)  # the placeholder answers nothing else
            progress.say(
                f"ready after {time.monotonic() - began:.1f} s; users now send requests to http://{stage.load_balancer}"
            )
            traffic.since_last()
            played = []
            for number, chapter in enumerate(CHAPTERS, 1):
                progress.step(f"{number} of {len(CHAPTERS)}: {chapter.name}")
                played.append(_play(chapter, stage.scene, traffic, progress))
                if played[-1].ended.code != chapter.ends[0]:
                    break  # later chapters start where this one should have ended
                traffic.ask(PATHS)
            died = not traffic.alive
        finally:
            total = traffic.end()
        told = _conclude(played, total, traffic.words, died, time.monotonic() - began, progress)
        if keep:
            stage.keep()
            progress.step("kept")
            for line in how_to_look(stage):
                progress.say(line)
    return told


def _play(chapter: Chapter, scene: Scene, traffic: Traffic, progress: Progress) -> Played:
    progress.say(chapter.told)
    ended = chapter.act(scene, lambda text: progress.live("", f"│ {text}"))
    progress.live("", "")
    served, count = scene.site.served(), traffic.since_last()
    problems = chapter.unmet(scene, ended, served)
    if count.failed:
        problems.append(f"{count.failed} user requests failed")
    progress.say(f"{ended.line} → exit {ended.code}, {ended.document.get('outcome')}, {ended.seconds:.1f} s", "command")
    progress.say(_steps(ended.document) or "none", "steps")
    for words in _causes(ended.document):
        progress.say(words, "finding")
    progress.say(", ".join(f"{name} {short(version)}" for name, version in served.versions.items()), "served")
    progress.say(f"{count.sent} requests, {count.failed} failed", "users")
    for problem in problems:
        progress.say(f"✗ {problem}", "unexpected")
    if not problems:
        progress.say("✓ as expected")
    return Played(chapter, ended, served, count, tuple(problems))


def _steps(document: Mapping[str, Any]) -> str:
    """deploykit's steps in order, each with its seconds, and a word if it failed or was undone."""
    taken = [step for step in document.get("steps") or [] if step["status"] != "skipped"]
    words = {"done": "", "failed": " (failed)", "undone": " (undone)"}
    return ", ".join(f"{step['name']} {step['seconds']:.1f} s{words.get(step['status'], '')}" for step in taken)


def _causes(document: Mapping[str, Any]) -> list[str]:
    """Each finding on one line, then the last line of its evidence."""
    lines = []
    for finding in document.get("findings") or []:
        lines.append(finding["summary"])
        lines += [f"  {line}" for line in finding["evidence"][-1:]]
    return lines


def _conclude(
    played: list[Played], total: Count, words: list[str], died: bool, seconds: float, progress: Progress
) -> Told:
    problems = [f"{part.chapter.name}: {problem}" for part in played for problem in part.problems]
    problems += [f"{chapter.name}: not run" for chapter in CHAPTERS[len(played) :]]
    if died:
        problems.append("the process that sends the users' requests ended before the story")
    if total.rate < LEAST_RATE:
        problems.append(f"users sent {total.rate:.1f} requests per second, expected at least {LEAST_RATE:.0f}")
    good = sum(not part.problems for part in played)
    ending = f"{good} of {len(CHAPTERS)} chapters ended as expected, in {seconds:.0f} s"
    progress.step("the end")
    progress.say(f"{total.sent} requests, {total.rate:.0f} per second, {total.failed} failed", "users")
    for line in words:
        progress.say(line, "failed")
    for problem in problems:
        progress.say(f"✗ {problem}")
    progress.say(f"{'✗' if problems else '✓'} {ending}")
    error = {"error": {"message": ending, "hint": "", "problems": []}} if problems else {}
    return Told(
        int(ExitCode.BUG if problems else ExitCode.OK),
        {
            "chapters": [_chapter(part) for part in played],
            "requests": total.sent,
            "failed": total.failed,
            "rate": round(total.rate, 1),
            "problems": problems,
            **error,
        },
    )


def _chapter(part: Played) -> dict[str, Any]:
    return {
        "name": part.chapter.name,
        "told": part.chapter.told,
        "command": part.ended.line,
        "seconds": round(part.ended.seconds, 3),
        "exit_code": part.ended.code,
        "outcome": part.ended.document.get("outcome"),
        "findings": list(part.ended.document.get("findings") or ()),
        "served": part.served.versions,
        "requests": part.count.sent,
        "failed": part.count.failed,
        "problems": list(part.problems),
    }
