"""What the checks share: many questions side by side; where one gets no answer, that is a finding and no failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from deploykit.edges.parallel import side_by_side
from deploykit.errors import DeploykitError, FailedBefore, OutOfReach
from deploykit.model.finding import Finding

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Question:
    """One look at AWS. ``about``: what it looks for, as in "could not look for …"; ``services``: who needs that."""

    about: str
    services: Iterable[str]
    ask: Callable[[], Iterable[Finding]]

    def findings(self) -> tuple[Finding, ...]:
        answer = attempt(lambda: tuple(self.ask()))
        if isinstance(answer, DeploykitError):
            return (could_not_look(f"for {self.about}", self.services, answer.message),)
        return answer


def ask(questions: Iterable[Question]) -> tuple[Finding, ...]:
    """The findings of ``questions``, asked side by side, in their order."""
    return all_findings([question.findings for question in questions])


def all_findings(checks: Sequence[Callable[[], tuple[Finding, ...]]]) -> tuple[Finding, ...]:
    """The findings of ``checks``, which run side by side, in the order of the checks."""
    found = side_by_side(dict(enumerate(checks)))
    return tuple(finding for each in found.values() for finding in each)


def attempt(ask: Callable[[], _Answer]) -> _Answer | DeploykitError:
    """The answer, or the error where a permission, the network or AWS prevents one."""
    try:
        return ask()
    except (OutOfReach, FailedBefore) as error:
        return error


def could_not_look(where: str, services: Iterable[str], why: str) -> Finding:
    """``where``: "for role …" or "at the policy of …"; what was not seen may well be in order."""
    return Finding("could-not-look", "warning", "low", _names(services), f"could not look {where}: {why}")


def elsewhere(what: str, services: Iterable[str], place: str) -> Finding:
    """``what`` is in another ``place`` (region or account), whose AWS is not asked."""
    return could_not_look(f"for {what}, which {who(services, 'need')}", services, f"it is in another {place}")


def missing(identifier: str, services: Iterable[str], summary: str, hint: str = "") -> Finding:
    """An error that AWS is sure of: without it tasks of ``services`` would not start."""
    return Finding(identifier, "error", "high", _names(services), summary, hint=hint)


def who(services: Iterable[str], verb: str) -> str:
    """``who({"web", "api"}, "need")`` → ``api, web need``; one service ``needs``."""
    names = sorted(services)
    return f"{', '.join(names)} {verb}{'s' if len(names) == 1 else ''}"


def _names(services: Iterable[str]) -> str:
    return ", ".join(sorted(services))
