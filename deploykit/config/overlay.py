"""An environment's tables merged over the file's, and the reverse: where a merged key stands in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploykit.config.locate import KeyPath

OVERLAYS = ("services", "cdn", "checks", "rollout", "local")
_ENDPOINTS = ("checks", "endpoints")
_LIMITED = ("services", "cdn")  # with the endpoints, what `only` may stand on

Places = tuple[tuple[int | None, int | None], ...]  # each endpoint's number in the file, and in the overlay


def merge(base: Any, over: Any, path: KeyPath = ()) -> Any:
    """``over`` over ``base``: tables merge key by key at every depth, lists replace lists; endpoints merge by id."""
    if isinstance(base, dict) and isinstance(over, dict):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = merge(base[key], value, (*path, key)) if key in base else value
        return merged
    if path == _ENDPOINTS and isinstance(base, list) and isinstance(over, list):
        return [_laid(base, over, below, above) for below, above in pair_endpoints(base, over)]
    return over


def _laid(base: list[Any], over: list[Any], below: int | None, above: int | None) -> Any:
    if below is None or above is None:
        return over[above] if above is not None else base[below or 0]
    return merge(base[below], over[above])


def pair_endpoints(base: list[Any], over: list[Any]) -> Places:
    """Which of ``over`` overlays which of ``base``: that of the same id; the others follow in their own order."""
    free = {item["id"]: number for number, item in reversed([*enumerate(over)]) if _has_id(item)}
    pairs: list[tuple[int | None, int | None]] = [
        (number, free.pop(item["id"], None) if _has_id(item) else None) for number, item in enumerate(base)
    ]
    used = {above for _, above in pairs}
    return (*pairs, *((None, number) for number in range(len(over)) if number not in used))


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


@dataclass(frozen=True)
class Layered:
    """The file's tables (``file``) as one environment sees them. ``name`` None: without any environment's overlay."""

    file: dict[str, Any]
    name: str | None
    tables: dict[str, Any]
    places: Places

    def admitted(self) -> Layered:
        """Without the services, distributions and endpoints whose `only` leaves this environment out."""
        tables = dict(self.tables)
        for key in _LIMITED:
            if isinstance(tables.get(key), dict):
                tables[key] = {name: item for name, item in tables[key].items() if self._admits(item)}
        places = self.places
        if endpoints := endpoints_of(tables):
            kept = [number for number, item in enumerate(endpoints) if self._admits(item)]
            tables["checks"] = {**tables["checks"], "endpoints": [endpoints[number] for number in kept]}
            places = tuple(places[number] for number in kept)
        return Layered(self.file, self.name, tables, places)

    def _admits(self, item: Any) -> bool:
        only = item.get("only") if isinstance(item, dict) else None
        return not isinstance(only, list) or self.name in only

    def source(self, path: KeyPath) -> tuple[KeyPath, KeyPath]:
        """Where the merged ``path`` stands in the file, and what of it is missing there.

        A key that both have is the overlay's. Where neither has it, the table that lacks it is the file's, if there.
        """
        for length in range(len(path), -1, -1):
            below, above = self._candidates(path[:length])
            for candidate in (above, below) if length == len(path) else (below, above):
                if candidate is not None and _exists(self.file, candidate):
                    return candidate, path[length:]
        return (), path

    def _candidates(self, path: KeyPath) -> tuple[KeyPath | None, KeyPath | None]:
        head = ("environments", self.name) if self.name is not None else None
        if path[:1] == ("environment",):
            return None, (*head, *path[1:]) if head else None
        below: KeyPath | None = path
        above: KeyPath | None = path
        if path[:2] == _ENDPOINTS and len(path) > 2 and isinstance(path[2], int):
            first, second = self.places[path[2]]
            below = None if first is None else (*_ENDPOINTS, first, *path[3:])
            above = None if second is None else (*_ENDPOINTS, second, *path[3:])
        return below, None if head is None or above is None or not path else (*head, *above)


def layer(file: dict[str, Any], name: str | None) -> Layered:
    """The tables of ``file`` with those of the environment ``name`` over them, and its own keys as ``environment``."""
    base = {key: value for key, value in file.items() if key != "environments"}
    if name is None:
        return Layered(file, None, base, tuple((number, None) for number in range(len(endpoints_of(base)))))
    environment = file["environments"][name]
    over = {key: value for key, value in environment.items() if key in OVERLAYS}
    tables = merge(base, over)
    tables["environment"] = {key: value for key, value in environment.items() if key not in OVERLAYS}
    return Layered(file, name, tables, pair_endpoints(endpoints_of(base), endpoints_of(over)))


def endpoints_of(tables: dict[str, Any]) -> list[Any]:
    """The endpoints of ``tables``, none where they are not a list."""
    checks = tables.get("checks")
    endpoints = checks.get("endpoints") if isinstance(checks, dict) else None
    return endpoints if isinstance(endpoints, list) else []


def _exists(tree: Any, path: KeyPath) -> bool:
    for key in path:
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
