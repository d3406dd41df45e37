"""What the rules between tables look at, and how a rule reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deploykit.config.locate import KeyPath
from deploykit.config.overlay import endpoints_of
from deploykit.config.wording import suggestion

Fault = tuple[KeyPath, str]  # the key it stands at (of the merged tables), and what goes on after the key's name


@dataclass(frozen=True)
class Scene:
    """What the rules look at: the merged tables as the file has them, of any type, so that every rule asks first."""

    tables: dict[str, Any]
    environment: str
    environments: tuple[str, ...]
    all_services: tuple[str, ...]  # those of other environments included
    url_given: bool  # DEPLOYKIT_URL stands in for the environment's url

    def of(self, key: str, parent: Any = None) -> dict[str, dict[str, Any]]:
        """The tables under ``key``, by name."""
        found = (self.tables if parent is None else parent).get(key)
        return {name: item for name, item in found.items() if isinstance(item, dict)} if isinstance(found, dict) else {}

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return self.of("services")

    @property
    def endpoints(self) -> list[tuple[int, dict[str, Any]]]:
        return [(number, item) for number, item in enumerate(endpoints_of(self.tables)) if isinstance(item, dict)]

    @property
    def url(self) -> str | None:
        url = self.of("environment", {"environment": {"own": self.tables.get("environment")}}).get("own", {}).get("url")
        return url if isinstance(url, str) else None

    def no_service(self, name: str) -> str | None:
        """What is wrong with naming the service ``name`` here, if anything."""
        if name in self.services:
            return None
        if name in self.all_services:
            return f'names the service "{name}", which the environment {self.environment} does not have'
        return f"names no service; {suggestion(name, self.all_services, 'the file has none')}"


Rule = Callable[[Scene], Iterator[Fault]]


def faults(scene: Scene, rules: tuple[Rule, ...]) -> Iterator[Fault]:
    """Everything that ``rules`` find, in no particular order."""
    for rule in rules:
        yield from rule(scene)
