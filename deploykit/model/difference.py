"""What differs between two task definitions, field by field. Pure; secrets are told by name only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMED = ("containerDefinitions", "environment", "secrets", "volumes")


@dataclass(frozen=True)
class Difference:
    """One field: ``before`` None where it is new, ``after`` None where it goes."""

    path: str  # containerDefinitions.web.environment.GIT_SHA
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every field that is not the same, lists of named things compared by name."""
    return tuple(_walk("", before, after))


def _walk(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys((*before, *after)):
            yield from _walk(f"{path}.{name}" if path else str(name), before.get(name), after.get(name))
        return
    field = path.rpartition(".")[2]
    if field in _NAMED and _named(before) and _named(after):
        secret = field == "secrets"
        yield from _walk(path, _by_name(before, field, secret), _by_name(after, field, secret))
        return
    if _empty(before) and _empty(after):
        return
    if before != after:
        yield Difference(path, before, after)


def _named(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(v, Mapping) and "name" in v for v in value))


def _by_name(items: list[Mapping[str, Any]] | None, field: str, secret: bool) -> dict[str, Any]:
    if field in ("environment", "secrets"):
        # where a secret comes from may itself be telling: its name has to do
        return {str(i["name"]): "(secret)" if secret else i.get("value") for i in items or ()}
    return {str(item["name"]): {k: v for k, v in item.items() if k != "name"} for item in items or ()}


def _empty(value: Any) -> bool:
    return value in (None, [], {}, "")
