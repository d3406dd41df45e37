"""In which sequence services are rolled out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from deploykit.config.schema import Configuration


def sequence_of(configuration: Configuration, changed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Each changed service to the changed ones before it, also where an unchanged service is between them."""

    def before(key: str) -> set[str]:
        direct = set(configuration.services[key].depends_on)
        return direct.union(*(before(other) for other in direct if other in configuration.services))

    return {key: tuple(sorted(before(key) & set(changed))) for key in changed}


def first_to_last(sequence: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The services of ``sequence`` in the sequence in which their rollouts begin."""
    begun: list[str] = []
    while len(begun) < len(sequence):
        begun += [key for key, before in sequence.items() if key not in begun and set(before) <= set(begun)]
    return tuple(begun)


def reversed_sequence(sequence: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The sequence of an undo: what was rolled out last is restored first."""
    last_first = reversed(list(sequence))
    return {key: tuple(other for other, before in sequence.items() if key in before) for key in last_first}
