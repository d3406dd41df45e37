"""Durations as people write them: ``30s``, ``10m``, ``1h30m``."""

from __future__ import annotations

import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PATTERN = r"^(?=\d)(\d+h)?(\d+m(?!s))?(\d+(\.\d+)?s)?(\d+ms)?$"
EXPECTED = 'a duration such as "30s", "10m" or "1h"'


def parse_duration(text: str) -> float:
    """``text`` in seconds. Raises: ValueError, with what was expected."""
    if not re.fullmatch(PATTERN, text, re.ASCII) or text.endswith("\n"):
        raise ValueError(f"must be {EXPECTED}")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", text))


def parse_lookback(text: str) -> float:
    """``text`` in seconds: a duration, or days (``30d``, ``1d12h``). Raises: ValueError as `parse_duration` does."""
    days = re.match(r"(\d{1,5})d", text, re.ASCII)
    if days is None:
        return parse_duration(text)
    rest = text[days.end() :]
    return int(days[1]) * 86400.0 + (parse_duration(rest) if rest else 0.0)


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as ``seconds`` (to the millisecond)."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, fraction = divmod(rest, 1000)
    parts = [f"{hours}h" * bool(hours), f"{minutes}m" * bool(minutes), f"{whole}s" * bool(whole)]
    parts.append(f"{fraction}ms" * bool(fraction))
    return "".join(parts) or "0s"
