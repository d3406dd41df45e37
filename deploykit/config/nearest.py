"""What a mistyped word was probably meant to be: for keys, services, endpoints and environments alike."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.6  # difflib's ratio: 1 for the same word, 0 for nothing in common


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be, whatever its capitals and dashes."""
    plain = {name.lower().replace("-", "_"): name for name in known}
    word = word.lower().replace("-", "_")
    matches = get_close_matches(word, plain, n=1, cutoff=_ALIKE)
    if not matches and len(word) >= 3:  # "production" for "prod", and the reverse
        matches = [name for name in plain if name.startswith(word) or word.startswith(name)]
    return plain[matches[0]] if matches else None
