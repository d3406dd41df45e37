"""In which order services are rolled out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from deploykit.config.schema import Configuration


def order_of(configuration: Configuration, changed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Each changed service with the changed ones that must be rolled out before it, through unchanged ones too."""

    def before(key: str) -> set[str]:
        direct = set(configuration.services[key].depends_on)
        return direct.union(*(before(other) for other in direct if other in configuration.services))

    return {key: tuple(sorted(before(key) & set(changed))) for key in changed}


def first_to_last(order: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The services of ``order`` as their rollouts begin: side by side where none waits for another."""
    begun: list[str] = []
    while len(begun) < len(order):
        begun += [key for key, before in order.items() if key not in begun and set(before) <= set(begun)]
    return tuple(begun)


def reversed_order(order: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The order of an undo: what was rolled out last goes back first."""
    return {key: tuple(other for other, before in order.items() if key in before) for key in reversed(list(order))}
