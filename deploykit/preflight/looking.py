"""What the checks share: they ask AWS side by side, and a question without an answer is a finding, not a failure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, FailedBefore, OutOfReach
from deploykit.model.finding import Finding

_Answer = TypeVar("_Answer")
Users = Mapping[str, Collection[str]]
"""What task definitions name → the services that need it."""


def all_findings(checks: Sequence[Callable[[], tuple[Finding, ...]]]) -> tuple[Finding, ...]:
    """The findings of ``checks``, which run side by side, in the order of the checks."""
    found = side_by_side(dict(enumerate(checks)))
    return tuple(finding for each in found.values() for finding in each)


def look_for_each(
    kind: str, needed: Users, find: Callable[[str, Collection[str]], Iterable[Finding]], unseen: Users, place: str = ""
) -> tuple[Finding, ...]:
    """What ``find`` returns for each of ``needed``; ``unseen`` are in another ``place`` (region or account)."""
    looks = [partial(look, f"{kind} {name}", who, partial(find, name, who)) for name, who in needed.items()]
    return (*all_findings(looks), *elsewhere(kind, unseen, place))


def look(about: str, services: Iterable[str], find: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What ``find`` returns; where AWS gives no answer, a finding that ``about`` ("role x") could not be looked for."""
    found = attempt(lambda: tuple(find()))
    return (could_not_look(f"for {about}", services, found.message),) if isinstance(found, DeploykitError) else found


def attempt(ask: Callable[[], _Answer]) -> _Answer | DeploykitError:
    """The answer, or the error where a permission, the network or AWS prevents one."""
    try:
        return ask()
    except (OutOfReach, FailedBefore) as error:
        return error


def could_not_look(where: str, services: Iterable[str], why: str) -> Finding:
    """A warning about ``where`` ("for role x", "at the policy of y"): what was not seen may well be in order."""
    return Finding("could-not-look", "warning", "low", _names(services), f"could not look {where}: {why}")


def elsewhere(kind: str, unseen: Users, place: str) -> list[Finding]:
    """Warnings about what is in another ``place`` (region or account), which is not asked."""
    return [
        could_not_look(f"for {kind} {name}, which {verb(services, 'need')}", services, f"it is in another {place}")
        for name, services in unseen.items()
    ]


def missing(identifier: str, services: Iterable[str], summary: str, hint: str = "") -> Finding:
    """An error that is certain: tasks of ``services`` would not start."""
    return Finding(identifier, "error", "high", _names(services), summary, hint=hint)


def verb(services: Collection[str], word: str) -> str:
    """``verb({"web", "api"}, "need")`` → ``api, web need``; one service ``needs``."""
    return f"{_names(services)} {word}{'s' if len(services) == 1 else ''}"


def _names(services: Iterable[str]) -> str:
    return ", ".join(sorted(services))
