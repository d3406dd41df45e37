"""What the rules between tables look at, and how a rule reports what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deploykit.config.locate import KeyPath
from deploykit.config.overlay import endpoints_of
from deploykit.config.wording import suggestion

Fault = tuple[KeyPath, str]  # a key of the merged tables, and what is wrong with it: the sentence after the key's name


@dataclass(frozen=True)
class RuleView:
    """The merged tables, not validated yet: a rule must check the type of what it reads."""

    tables: dict[str, Any]
    environment: str
    environments: tuple[str, ...]
    all_services: tuple[str, ...]  # of every environment
    url_given: bool  # DEPLOYKIT_URL overrides the environment's url

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
        environment = self.tables.get("environment")
        url = environment.get("url") if isinstance(environment, dict) else None
        return url if isinstance(url, str) else None

    def no_service(self, name: str) -> str | None:
        """What is wrong with naming the service ``name`` here; None where it exists."""
        if name in self.services:
            return None
        if name in self.all_services:
            return f'names the service "{name}", which the environment {self.environment} does not have'
        return f"no such service; {suggestion(name, self.all_services, 'the file has none')}"


def numbered(item: dict[str, Any], key: str) -> Iterator[tuple[int, str]]:
    """The texts in the list that ``item`` has under ``key``, each with its number in it; none where it is no list."""
    listed = item.get(key)
    yield from ((n, text) for n, text in enumerate(listed if isinstance(listed, list) else []) if isinstance(text, str))


Rule = Callable[[RuleView], Iterator[Fault]]
